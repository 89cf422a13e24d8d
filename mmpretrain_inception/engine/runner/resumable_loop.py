"""Training by epochs, from any iteration on."""

from __future__ import annotations

from typing import Any

from mmengine.dist import get_rank
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmpretrain_inception.engine.runner.numbered_batches import number_batches
from mmpretrain_inception.engine.runner.seeds import seed_process
from mmpretrain_inception.registry import LOOPS
from mmpretrain_inception.utils.message_hub import BATCHES_DONE, BATCHES_PER_EPOCH, VALIDATED_EPOCH


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that goes on from any checkpoint as if it had never stopped.

    mmengine's starts the epoch of a checkpoint anew, leaves out a validation that was due when the run was killed, and
    goes on with other random numbers. Here an epoch starts at the batch that is next; what is due is validated first;
    and all random numbers depend on the run's seed, the rank, and the iteration (in this process) or the epoch, the
    batch and the position in it (in whoever loads an image), so that nothing has to be stored or drawn again.

    Takes the arguments of mmengine's loop.
    """

    def __init__(self, runner: Runner, dataloader: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(runner, dataloader, *args, **kwargs)
        self.dataloader: DataLoader
        self.dataloader, self._batches = number_batches(self.dataloader)

    def run(self) -> Any:
        """Train, and validate where it is due."""
        hub, length = self.runner.message_hub, len(self.dataloader)
        if hub.runtime_info.get(BATCHES_PER_EPOCH, length) != length:
            self.runner.logger.warning('an epoch has another number of batches than in the checkpoint: it starts anew')
            hub.update_info(BATCHES_DONE, 0)
        hub.update_info(BATCHES_PER_EPOCH, length)
        self.runner.call_hook('before_train')
        if not hub.runtime_info.get(BATCHES_DONE):
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train on the batches of the epoch that are left."""
        hub, batches = self.runner.message_hub, self._batches
        batches.key = (self.runner.seed, self._epoch, get_rank())
        batches.first = hub.runtime_info.get(BATCHES_DONE, 0)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for number, batch in enumerate(self.dataloader, batches.first):
            # Before the hooks that save it.
            hub.update_info(BATCHES_DONE, number + 1)
            self.run_iter(number, batch)
        hub.update_info(BATCHES_DONE, 0)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """Train on one batch."""
        seed_process(self.runner.seed, self._iter, get_rank())
        super().run_iter(idx, data_batch)

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        interval_over = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        validated = self.runner.message_hub.runtime_info.get(VALIDATED_EPOCH) == self._epoch
        begun = self._epoch >= max(self.val_begin, 1)
        if self.runner.val_loop is not None and begun and interval_over and not validated:
            self.runner.val_loop.run()
