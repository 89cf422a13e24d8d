"""Averaged weights that are the same in every process."""

from __future__ import annotations

from typing import Any

from mmengine.dist import all_reduce_params
from mmengine.runner import Runner
from mmpretrain.engine.hooks import EMAHook

from mmpretrain_inception.engine.hooks.finite_loss_hook import was_skipped
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.workarounds import leaves_averaged_buffers_apart


@HOOKS.register_module()
class SyncedEMAHook(EMAHook):
    """mmpretrain's ``EMAHook`` that also averages batch-norm statistics over the processes, after every epoch.

    With ``update_buffers=True`` each process averages the statistics of its own images. mmengine's ``SyncBuffersHook``
    synchronises the model's statistics but not those of the average, so processes would evaluate with different ones,
    and checkpoints would have those of the first process. Where that hook synchronises both, this one leaves it to it.

    A batch that ``FiniteLossHook`` skips does not count.

    Takes the arguments of mmpretrain's ``EMAHook``.
    """

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Add the weights of this iteration to the average."""
        if not was_skipped(runner):
            super().after_train_iter(runner, *args, **kwargs)

    def after_train_epoch(self, runner: Runner) -> None:
        """Average the buffers over the processes. They are linear, so this equals averaging them in every step."""
        if leaves_averaged_buffers_apart():
            all_reduce_params(self.ema_model.module.buffers(), op='mean')
