"""Testing a model with batch norm folded into its convolutions."""

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
    """Test a copy of the model after ``switch_to_deploy``; this is ``tools/test.py --deploy``.

    The copy is made at the first batch of each pass over the data. By then the weights are loaded, and an ``EMAHook``
    has put its average into the model; it needs the same parameters there afterwards, and may test a second time with
    other weights.

    In mixed precision, the copy stores the weights of convolutions in the type of autocast, so that they are not
    converted again for every batch. Predictions are the same. Everything else is left to autocast, and to the head,
    which computes logits and scores in float32.

    Raises:
        InputError: If no part of the model has ``switch_to_deploy``.
    """

    # After EMAHook and whatever else touches the model.
    priority = 'LOW'

    def __init__(self) -> None:
        self._original: nn.Module | None = None

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Switch to the copy before the first batch."""
        if batch_idx > 0:
            return
        if self._original is None:
            self._original = unwrap_parallel(runner.model)
            refuse_without_deploy_form(self._original)
        runner.model = switch_to_deploy(deepcopy(self._original))
        if runner.test_loop.fp16:
            store_convolutions(runner.model)

    def after_test(self, runner: Runner) -> None:
        """Restore the original model."""
        if self._original is not None:
            runner.model, self._original = self._original, None


def refuse_without_deploy_form(model: nn.Module) -> None:
    """Refuse a model of which no part has ``switch_to_deploy``."""
    if not any(hasattr(module, 'switch_to_deploy') for module in model.modules()):
        raise InputError('no part of the model has a deploy form (switch_to_deploy); test it without --deploy')


def store_convolutions(model: nn.Module) -> None:
    """Convert the weights of convolutions to the type that autocast computes in, in place."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.to(torch.get_autocast_dtype(module.weight.device.type))
