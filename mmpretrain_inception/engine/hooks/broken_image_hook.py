"""Training that continues past images that cannot be decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpretrain_inception.engine.batches import samples_of
from mmpretrain_inception.engine.runner.sample_fetcher import SampleFetcher
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.atomic_file import atomic_write
from mmpretrain_inception.utils.message_hub import BROKEN_IMAGES, IMAGES_SEEN

# A share of fewer images means little: at 1 %, up to ten broken files are tolerated whatever the dataset's size.
_FEWEST_IMAGES = 1000


@HOOKS.register_module()
class BrokenImageHook(Hook):
    """Replace images that cannot be decoded by others, name them, and stop if there are many.

    Each file is named once in the log, listed with the reason in ``broken_images.txt`` of the work directory, and
    counted in the log as ``broken_images``. Other ranks list the files that they met in ``broken_images_rank1.txt`` and
    so on.

    It needs ``ResumableTrainLoop``; other loops stop at the first such file. Evaluation is not affected.

    Args:
        max_share: Stop when more than this share of the images cannot be decoded: of the images seen so far, or of the
            dataset once all were seen. Fewer than 1000 images count as 1000. Defaults to 0.01.

    Raises:
        InputError: From the training, if there are more.
    """

    def __init__(self, max_share: float = 0.01) -> None:
        self.max_share = max_share

    def before_train(self, runner: Runner) -> None:
        """Switch replacement on."""
        fetcher = getattr(runner.train_dataloader.dataset, '__getitems__', None)
        if isinstance(fetcher, SampleFetcher):
            fetcher.replaces_broken = True

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Count the broken images of a batch and report new ones."""
        samples = samples_of(data_batch)
        hub = runner.message_hub
        seen = hub.runtime_info.get(IMAGES_SEEN, 0) + len(samples)
        hub.update_info(IMAGES_SEEN, seen)
        known: list[str] = hub.runtime_info.get(BROKEN_IMAGES, [])
        found = [message for sample in samples for message in sample.get(BROKEN_IMAGES, [])]
        new = [message for message in dict.fromkeys(found) if message not in known]
        if new:
            self._report(runner, [*known, *new], new)
            self._stop_if_many(runner, len(known) + len(new), min(seen, len(runner.train_dataloader.dataset)))

    def _report(self, runner: Runner, broken: list[str], new: list[str]) -> None:
        for message in new:
            runner.logger.warning(f'{message}; replaced by another image')
        runner.message_hub.update_info(BROKEN_IMAGES, broken)
        runner.message_hub.update_scalar(f'train/{BROKEN_IMAGES}', len(broken))
        with atomic_write(_list_file(runner)) as file:
            file.write(''.join(f'{message}\n' for message in broken).encode())

    def _stop_if_many(self, runner: Runner, broken: int, seen: int) -> None:
        if broken > self.max_share * max(seen, _FEWEST_IMAGES):
            raise InputError(
                f'{broken} of {seen} images cannot be decoded, more than the {self.max_share:.2%} that '
                f'default_hooks.broken_images.max_share allows; {_list_file(runner)} lists them'
            )


def _list_file(runner: Runner) -> Path:
    suffix = f'_rank{get_rank()}' if get_rank() else ''
    return Path(runner.work_dir) / f'{BROKEN_IMAGES}{suffix}.txt'
