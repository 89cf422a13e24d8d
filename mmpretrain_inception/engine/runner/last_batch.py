"""Training data without a last batch of a single image."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.dataset import InfiniteSampler
from mmengine.logging import print_log
from torch.utils.data import BatchSampler, DataLoader, Sampler

from mmpretrain_inception.errors import InputError

# What a loader was built with, apart from the dataset and its sampling.
_SETTINGS = (
    *('num_workers', 'collate_fn', 'pin_memory', 'timeout', 'worker_init_fn', 'multiprocessing_context', 'generator'),
    *('prefetch_factor', 'persistent_workers', 'pin_memory_device', 'in_order'),
)


class NoSingleImage(Sampler[list[int]]):
    """Another batch sampler without its last batch.

    Args:
        batches: The batch sampler.
    """

    def __init__(self, batches: BatchSampler) -> None:
        self.batches = batches
        # Where mmengine looks for the sampler whose epoch it sets, and for the size of a batch.
        self.sampler = batches.sampler
        self.batch_size = batches.batch_size

    def __iter__(self) -> Iterator[list[int]]:
        return islice(iter(self.batches), len(self))

    def __len__(self) -> int:
        return len(self.batches) - 1


def drop_single_image(loader: DataLoader) -> DataLoader:
    """Return a training loader that does not end an epoch with a batch of one image.

    Batch norm cannot train on one image once its feature map is 1 x 1 pixel. A batch size of 1 stays as it is: that is
    what the user asked for.

    Args:
        loader: The loader of this process.

    Returns:
        The same loader, or one with the same settings whose epochs are one batch shorter; the log then says so.

    Raises:
        InputError: If no batch is left.
    """
    batches: Any = loader.batch_sampler
    if not isinstance(batches, BatchSampler) or isinstance(batches.sampler, InfiniteSampler):
        return loader
    size, images = batches.batch_size, len(batches.sampler)  # type: ignore[arg-type]
    found = f'got {images} image{"s" * (images != 1)} in batches of {size}'
    if len(batches) == 0:
        raise InputError(
            f'train_dataloader: expected images for at least one batch, {found} with drop_last=True; '
            'use a smaller batch_size or drop_last=False'
        )
    if size == 1 or batches.drop_last or images % size != 1:
        return loader
    if len(batches) == 1:
        raise InputError(f'train_dataloader: expected at least two images, which batch norm needs, {found}')
    print_log(
        f'train_dataloader: {found}; the last batch of each epoch has one image, which batch norm cannot train on, '
        'and is dropped',
        logger='current',
        level=logging.WARNING,
    )
    return rebuild(loader, NoSingleImage(batches))


def rebuild(loader: DataLoader, batch_sampler: Sampler) -> DataLoader:
    """Return a loader like another one with other batches; those of an existing loader cannot be exchanged.

    Args:
        loader: The loader whose dataset and settings to take.
        batch_sampler: What to load.
    """
    settings = {name: getattr(loader, name) for name in _SETTINGS}
    return DataLoader(loader.dataset, batch_sampler=batch_sampler, **settings)
