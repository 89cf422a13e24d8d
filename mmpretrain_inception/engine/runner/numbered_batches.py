"""Batches that know which of the run they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

from torch.utils.data import DataLoader, Sampler

from mmpretrain_inception.engine.runner.sample_fetcher import SampleFetcher

# What a loader was made with, beside the dataset and its sampling.
_SETTINGS = (
    *('num_workers', 'collate_fn', 'pin_memory', 'timeout', 'worker_init_fn', 'multiprocessing_context', 'generator'),
    *('prefetch_factor', 'persistent_workers', 'pin_memory_device', 'in_order'),
)


class NumberedBatch(list[int]):
    """The indices of a batch, as torch hands them to whoever loads it, in a worker or not.

    Attributes:
        key: What the random numbers of its images depend on: the run's seed, the epoch, the rank and the batch's
            number in the epoch.
    """

    def __init__(self, indices: Iterable[int], key: tuple[int, ...]) -> None:
        super().__init__(indices)
        self.key = key

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self), self.key)


class NumberedBatchSampler(Sampler[NumberedBatch]):
    """Numbers the batches of another sampler, and may leave out the first ones of an epoch.

    Args:
        batches: The sampler of batches, torch's or one of its kind.

    Attributes:
        first: Number of the batch that an epoch starts with. Those before it are not loaded. Defaults to 0.
        key: Seed, epoch and rank, of which :class:`NumberedBatch` tells.
    """

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        # Where mmengine looks for what it sets the epoch of and counts a batch's images by.
        self.sampler = getattr(batches, 'sampler', None)
        self.batch_size = getattr(batches, 'batch_size', None)
        self.first = 0
        self.key: tuple[int, ...] = ()

    def __iter__(self) -> Iterator[NumberedBatch]:
        for number, indices in islice(enumerate(self.batches), self.first, None):
            yield NumberedBatch(indices, (*self.key, number))

    def __len__(self) -> int:
        return len(self.batches)


def number_batches(loader: DataLoader) -> tuple[DataLoader, NumberedBatchSampler]:
    """Return a loader whose batches are numbered, and what numbers them.

    Its images' random numbers come from the batch's number. In all else it is as the other: a loader's sampler cannot
    be exchanged, so that another is made with the same settings.
    """
    dataset = cast('Any', loader.dataset)
    # torch's protocol for loading a batch at once, which it looks for on the dataset itself.
    dataset.__getitems__ = SampleFetcher(dataset)
    batches = NumberedBatchSampler(loader.batch_sampler)
    settings = {name: getattr(loader, name) for name in _SETTINGS}
    return DataLoader(dataset, batch_sampler=batches, **settings), batches
