"""Evaluation without the images that cannot be decoded, said aloud."""

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
    """Leave out of a test the images that cannot be decoded, and count them beside the accuracy.

    Before the first batch all files are decoded once, each process taking its share of them. The broken ones are named
    in the log and taken out of the dataset, so that metrics, test-time augmentation and the distribution over processes
    work as on a smaller dataset. The metrics get ``images``, those that were evaluated, and ``broken_images``.

    ``tools/test.py --skip-broken`` adds it. Without it the first broken image ends a test.

    Raises:
        ValueError: From the test, if the dataset does not consist of image files, or all are broken.
    """

    # Before the hooks that look at the dataset, and that log the metrics.
    priority = 'HIGHEST'

    def __init__(self) -> None:
        self.broken_images = 0

    def before_test(self, runner: Runner) -> None:
        """Take out the broken images."""
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
        # Samplers count a dataset when they are built.
        settings = {**runner.cfg.test_dataloader, 'dataset': dataset}
        runner.test_loop.dataloader = runner.build_dataloader(settings, seed=runner.seed)

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the counts."""
        if metrics is not None:
            metrics.update(images=len(runner.test_dataloader.dataset), broken_images=self.broken_images)


def _broken_of(dataset: Any) -> dict[int, str]:
    """Return the positions of the broken images in the dataset, with what to say of each."""
    if not isinstance(dataset, BaseDataset):
        raise InputError(
            f'--skip-broken takes files out of a dataset, but {type(dataset).__name__} joins or wraps others; '
            'verify_dataset.py names its broken files'
        )
    source = source_of(dataset, 'the test dataset')
    share = range(get_rank(), len(dataset), get_world_size())
    paths = [source.paths[index] for index in share]
    found = find_broken(paths, source.load, max(cores_per_process(), 1), 'verifying' if is_main_process() else None)
    mine = {share[position]: f'{image.path}: {image.reason}' for position, image in found.items()}
    return dict(sorted(item for part in all_gather_object(mine) for item in part.items()))
