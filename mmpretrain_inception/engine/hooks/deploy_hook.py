"""Testing a model in its deploy form."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmpretrain_inception.deploy.switch import switch_to_deploy
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.modules import unwrap_parallel


@HOOKS.register_module()
class DeployHook(Hook):
    """Test a copy of the model that ``switch_to_deploy`` has put into its deploy form; ``tools/test.py --deploy``.

    The copy is made at the first batch of a pass: by then the weights are loaded, and an ``EMAHook`` has put its
    average into the model, from which it is to find the same parameters afterwards. It may go over the data a second
    time with other weights.

    In mixed precision the copy's convolutions hold their weights in the type of autocast, which would make the same of
    them at every batch: the predictions are the same. All else is left to autocast and to the head, whose logits and
    scores are in float32.

    Raises:
        InputError: If no part of the model has a deploy form.
    """

    # After EMAHook and whatever else touches the model.
    priority = 'LOW'

    def __init__(self) -> None:
        self._original: nn.Module | None = None

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Switch before the first batch."""
        if batch_idx > 0:
            return
        if self._original is None:
            self._original = unwrap_parallel(runner.model)
            _refuse_without_deploy_form(self._original)
        runner.model = switch_to_deploy(deepcopy(self._original))
        if runner.test_loop.fp16:
            store_convolutions(runner.model)

    def after_test(self, runner: Runner) -> None:
        """Hand the model back as it was."""
        if self._original is not None:
            runner.model, self._original = self._original, None


def _refuse_without_deploy_form(model: nn.Module) -> None:
    if not any(hasattr(module, 'switch_to_deploy') for module in model.modules()):
        raise InputError('no part of the model has a deploy form (switch_to_deploy); test it without --deploy')


def store_convolutions(model: nn.Module) -> None:
    """Keep the weights of convolutions in the type that autocast computes them in, in place."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.to(torch.get_autocast_dtype(module.weight.device.type))
