"""Evaluation without the images that cannot be decoded."""

from __future__ import annotations

from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.dist import all_gather_object, get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpretrain_inception.datasets.verify import find_broken, source_of
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.cores import cores_per_process


@HOOKS.register_module()
class SkipBrokenHook(Hook):
    """Leave images that cannot be decoded out of a test, and report their number with the accuracy.

    Before the first batch every file is decoded once, each process taking its share. The broken ones are named in the
    log and removed from the dataset, so that metrics, test-time augmentation and several processes work as on a smaller
    dataset. The metrics get ``images``, the number evaluated, and ``broken_images``.

    ``tools/test.py --skip-broken`` adds it. Without it the first broken image ends a test.

    Raises:
        InputError: From the test, if the dataset does not consist of image files, or all are broken.
    """

    # It runs before the hooks that look at the dataset and that log the metrics.
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self.broken_images = 0

    def before_test(self, runner: Runner) -> None:
        """Remove the broken images from the dataset."""
        dataset = runner.test_dataloader.dataset
        broken = _broken_of(dataset)
        self.broken_images = len(broken)
        if not broken:
            return
        for message in broken.values():
            runner.logger.warning(f'{message}; left out')
        if len(broken) == len(dataset):
            raise InputError(f'none of the {len(dataset)} images of the test can be decoded')
        dataset.get_subset_([index for index in range(len(dataset)) if index not in broken])
        # Samplers take the size of a dataset when they are built.
        settings = {**runner.cfg.test_dataloader, 'dataset': dataset}
        runner.test_loop.dataloader = runner.build_dataloader(settings, seed=runner.seed)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the counts."""
        if metrics is not None:
            metrics.update(images=len(runner.test_dataloader.dataset), broken_images=self.broken_images)


def _broken_of(dataset: Any) -> dict[int, str]:
    """Return the positions of the broken images in the dataset, each with its path and the reason."""
    if not isinstance(dataset, BaseDataset):
        raise InputError(
            f'--skip-broken: expected a dataset of files, got {type(dataset).__name__}, which joins or wraps others; '
            'tools/verify_dataset.py names their broken files'
        )
    source = source_of(dataset, 'the test dataset')
    share = range(get_rank(), len(dataset), get_world_size())
    paths = [source.paths[index] for index in share]
    found = find_broken(paths, source.load, max(cores_per_process(), 1), 'verifying' if is_main_process() else None)
    mine = {share[position]: str(image) for position, image in found.items()}
    return dict(sorted(item for part in all_gather_object(mine) for item in part.items()))
