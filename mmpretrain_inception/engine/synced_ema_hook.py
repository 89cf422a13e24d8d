"""A running average of the parameters that is the same in every process."""

from __future__ import annotations

from mmengine.dist import all_reduce_params
from mmengine.runner import Runner
from mmpretrain.engine.hooks import EMAHook

from mmpretrain_inception.registry import HOOKS


@HOOKS.register_module()
class SyncedEMAHook(EMAHook):
    """mmpretrain's ``EMAHook`` that averages batch-norm statistics over the processes at the end of every epoch.

    With ``update_buffers=True`` each process averages the statistics of its own images. mmengine's ``SyncBuffersHook``
    evens out the model's and not the average's, so that the processes would evaluate with different ones and the
    checkpoint would hold those of the first. It can go when that hook evens out both.

    Takes the arguments of mmpretrain's ``EMAHook``.
    """

    def after_train_epoch(self, runner: Runner) -> None:
        """Average the buffers; they are linear in the model's, so that this equals averaging those at every step."""
        all_reduce_params(self.ema_model.module.buffers(), op='mean')
