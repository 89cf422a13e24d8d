"""A running average of the parameters that is the same in every process."""

from __future__ import annotations

from typing import Any

from mmengine.dist import all_reduce_params
from mmengine.runner import Runner
from mmpretrain.engine.hooks import EMAHook

from mmpretrain_inception.engine.hooks.finite_loss_hook import was_skipped
from mmpretrain_inception.registry import HOOKS


@HOOKS.register_module()
class SyncedEMAHook(EMAHook):
    """mmpretrain's ``EMAHook`` that averages batch-norm statistics over the processes at the end of every epoch.

    With ``update_buffers=True`` each process averages the statistics of its own images. mmengine's ``SyncBuffersHook``
    evens out the model's and not the average's, so that the processes would evaluate with different ones and the
    checkpoint would hold those of the first. It can go when that hook evens out both.

    A batch that ``FiniteLossHook`` leaves out does not count.

    Takes the arguments of mmpretrain's ``EMAHook``.
    """

    def after_train_iter(self, runner: Runner, *args: Any, **kwargs: Any) -> None:
        """Take the parameters of this iteration into the average."""
        if not was_skipped(runner):
            super().after_train_iter(runner, *args, **kwargs)

    def after_train_epoch(self, runner: Runner) -> None:
        """Average the buffers; they are linear in the model's, so that this equals averaging those at every step."""
        all_reduce_params(self.ema_model.module.buffers(), op='mean')
