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
    """Compile the backbones at the first batch, with the weights as constants of the compiled code.

    mmengine's Runner compiles for training only, by the setting ``compile`` of the config, which holds this hook's
    arguments. With constant weights ("freezing") the compiler folds batch norm into the convolutions and lays out the
    weights as the processor wants them, once. Neck and head are no work, and their data samples differ between batches.

    A batch of another size, such as the last one, runs as it would without this hook: code for it would take longer to
    compile than it saves.

    Args:
        **arguments: Those of ``torch.compile``.
    """

    # After DeployHook, which replaces the model.
    priority = 'LOWEST'

    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Compile before the first batch, by when the weights are final."""
        if batch_idx > 0:
            return
        set_freezing(True)
        torch.compiler.set_stance('default')
        for backbone in backbones(runner.model):
            backbone.compile(**self.arguments)
        runner.logger.info('The backbone is compiled while the first batch is tested, which can take minutes.')

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Compile no more after the first batch, by when all members of an ensemble are."""
        torch.compiler.set_stance('eager_on_recompile')

    def after_test(self, runner: Runner) -> None:
        """Set back what is global."""
        torch.compiler.set_stance('default')
        set_freezing(False)


def backbones(model: nn.Module) -> list[nn.Module]:
    """Return the backbones of the classifiers in a model, of which an ensemble has several."""
    return [cast('nn.Module', module.backbone) for module in model.modules() if hasattr(module, 'backbone')]


def set_freezing(value: bool) -> None:
    """Set what ``torch.compile(options=dict(freezing=True))`` is to set.

    torch 2.14 looks for parameters to freeze before it applies that argument. It can take the place of the global
    setting when it comes first.
    """
    # Here, since the compiler takes a second to import.
    from torch._inductor import config

    config.freezing = value
