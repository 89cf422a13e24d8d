"""Testing with torch.compile."""

from __future__ import annotations

from typing import Any, cast

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmpretrain_inception.registry import HOOKS


@HOOKS.register_module()
class CompileHook(Hook):
    """Compile the backbone at the first batch, with the weights as constants.

    mmengine's Runner compiles only for training; its setting ``compile`` in the config has this hook's arguments. With
    constant weights ("freezing") the compiler folds batch norm into the convolutions and stores the weights in the best
    format for the processor. Neck and head are not compiled: they take no time, and their data samples differ between
    batches.

    A batch of another size, such as the last one, is not compiled: that would take longer than it saves.

    Args:
        **arguments: Arguments of ``torch.compile``.
    """

    # After DeployHook, which replaces the model.
    priority = 'LOWEST'

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Compile before the first batch, when the weights are final."""
        if batch_idx > 0:
            return
        set_freezing(True)
        torch.compiler.set_stance('default')
        for backbone in backbones(runner.model):
            backbone.compile(**self.arguments)
        runner.logger.info('Compiling the backbone during the first batch; this can take minutes.')

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop compiling after the first batch, when all members of an ensemble are compiled."""
        torch.compiler.set_stance('eager_on_recompile')

    def after_test(self, runner: Runner) -> None:
        """Reset global settings."""
        torch.compiler.set_stance('default')
        set_freezing(False)


def backbones(model: nn.Module) -> list[nn.Module]:
    """Return the backbones of a model; an ensemble has several."""
    return [cast('nn.Module', module.backbone) for module in model.modules() if hasattr(module, 'backbone')]


def set_freezing(value: bool) -> None:
    """Turn constant weights on or off for ``torch.compile``.

    ``torch.compile(options=dict(freezing=True))`` has no effect in torch 2.14, which looks for parameters to freeze
    before it applies the option. This function can be removed when the option works.
    """
    # Imported here because the compiler takes a second to import.
    from torch._inductor import config

    config.freezing = value
