"""Training loops that can start from any iteration."""

from __future__ import annotations

from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_rank, get_world_size
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmpretrain_inception.engine.runner.last_batch import drop_single_image
from mmpretrain_inception.engine.runner.numbered_batches import number_batches
from mmpretrain_inception.engine.runner.seeds import seed_process
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import LOOPS
from mmpretrain_inception.utils.message_hub import (
    BATCH_SIZE,
    BATCHES_DONE,
    BATCHES_PER_EPOCH,
    DATASET_LENGTH,
    VALIDATED_EPOCH,
    WORLD_SIZE,
)


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """``EpochBasedTrainLoop`` that resumes exactly, from any iteration.

    mmengine's loop starts the epoch of a checkpoint again, skips a validation that was due when the run was killed, and
    continues with other random numbers. This one continues with the next batch and validates first if that is due. All
    random numbers depend on the seed, the rank, and the iteration (in this process) or the epoch, the batch and the
    position in the batch (where an image is loaded), so that no state of a generator has to be saved.

    A last batch of one image is dropped (:func:`drop_single_image`).

    Takes the arguments of mmengine's loop.

    Raises:
        InputError: If the sampler never ends an epoch.
    """

    def __init__(self, runner: Runner, dataloader: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(runner, dataloader, *args, **kwargs)
        if isinstance(getattr(self.dataloader.batch_sampler, 'sampler', None), InfiniteSampler):
            raise InputError(
                'train_dataloader.sampler: expected one whose epochs end, got InfiniteSampler; '
                'use DefaultSampler, or train_cfg=dict(by_epoch=False, max_iters=N)'
            )
        self.dataloader: DataLoader
        self.dataloader, self._batches = number_batches(drop_single_image(self.dataloader))
        self._max_iters = self._max_epochs * len(self.dataloader)

    def run(self) -> Any:
        """Train, and validate where that is due."""
        hub = self.runner.message_hub
        self._compare_position()
        if self._epoch >= self._max_epochs and self.runner._resume:
            _say_finished(self.runner, self._epoch, 'epochs')
        self.runner.call_hook('before_train')
        if not hub.runtime_info.get(BATCHES_DONE):
            self._validate_if_due()
        while self._epoch < self._max_epochs and not self.stop_training:
            self.run_epoch()
            self._validate_if_due()
        self.runner.call_hook('after_train')
        return self.runner.model

    def run_epoch(self) -> None:
        """Train on the remaining batches of the epoch."""
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

    def _compare_position(self) -> None:
        """Start the epoch of a checkpoint anew if its batches were other ones; earlier versions noted their number."""
        hub = self.runner.message_hub
        layout = {
            BATCHES_PER_EPOCH: len(self.dataloader),
            BATCH_SIZE: self._batches.batch_size,
            WORLD_SIZE: get_world_size(),
            DATASET_LENGTH: len(self.dataloader.dataset),  # type: ignore[arg-type]
        }
        changed = [
            f'{name} was {hub.get_info(name)} and is now {value}'
            for name, value in layout.items()
            if hub.runtime_info.get(name, value) != value
        ]
        if changed and hub.runtime_info.get(BATCHES_DONE):
            self.runner.logger.warning(f'epoch {self._epoch + 1} starts anew: {", ".join(changed)}')
            hub.update_info(BATCHES_DONE, 0)
        for name, value in layout.items():
            hub.update_info(name, value)
        # Batches of an epoch that started anew are counted twice. The log derives the remaining time from this sum.
        batches_left = (self._max_epochs - self._epoch) * len(self.dataloader) - hub.runtime_info.get(BATCHES_DONE, 0)
        self._max_iters = self._iter + batches_left

    def _validate_if_due(self) -> None:
        self._decide_current_val_interval()
        interval_over = self._epoch % self.val_interval == 0 or self._epoch == self._max_epochs
        validated = self.runner.message_hub.runtime_info.get(VALIDATED_EPOCH) == self._epoch
        begun = self._epoch >= max(self.val_begin, 1)
        if self.runner.val_loop is not None and begun and interval_over and not validated:
            self.runner.val_loop.run()


@LOOPS.register_module()
class IterationTrainLoop(IterBasedTrainLoop):
    """``IterBasedTrainLoop`` that drops a last batch of one image (:func:`drop_single_image`).

    Takes the arguments of mmengine's loop.
    """

    def __init__(self, runner: Runner, dataloader: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(dataloader, dict):
            # As mmengine's loop does it.
            apart = runner._randomness_cfg.get('diff_rank_seed', False)
            dataloader = runner.build_dataloader(dataloader, seed=runner.seed, diff_rank_seed=apart)
        super().__init__(runner, drop_single_image(dataloader), *args, **kwargs)

    def run(self) -> Any:
        """Train, and validate where that is due."""
        if self._iter < self._max_iters or not self.runner._resume:
            return super().run()
        # mmengine would load all the batches of the finished run to skip them.
        _say_finished(self.runner, self._iter, 'iterations')
        for stage in ('before_train', 'after_train'):
            self.runner.call_hook(stage)
        return self.runner.model


def _say_finished(runner: Runner, done: int, unit: str) -> None:
    setting = 'max_epochs' if unit == 'epochs' else 'max_iters'
    runner.logger.warning(
        f'nothing is left to train: the checkpoint is already at {unit[:-1]} {done}; '
        f'raise train_cfg.{setting} to train longer'
    )
