"""Batches that know their number in the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

from torch.utils.data import DataLoader, Sampler

from mmpretrain_inception.engine.runner.last_batch import rebuild
from mmpretrain_inception.engine.runner.sample_fetcher import SampleFetcher


class NumberedBatch(list[int]):
    """The indices of a batch, as torch passes them to the process that loads it.

    Attributes:
        key: What the random numbers of its images depend on: the run's seed, the epoch, the rank and the number of the
            batch in the epoch.
    """

    def __init__(self, indices: Iterable[int], key: tuple[int, ...]) -> None:
        super().__init__(indices)
        self.key = key

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (list(self), self.key)


class NumberedBatchSampler(Sampler[NumberedBatch]):
    """Numbers the batches of another batch sampler, and can skip the first ones of an epoch.

    Args:
        batches: The batch sampler, torch's or one like it.

    Attributes:
        first: Number of the batch that the next epoch starts with. Earlier ones are not loaded. Defaults to 0.
        key: Seed, epoch and rank, the first part of :attr:`NumberedBatch.key`.
    """

    def __init__(self, batches: Any) -> None:
        self.batches = batches
        # Where mmengine looks for the sampler whose epoch it sets, and for the size of a batch.
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
    """Return a loader with the same settings whose batches are numbered, and the sampler that numbers them.

    The random numbers of an image then come from the number of its batch.
    """
    dataset = cast('Any', loader.dataset)
    # torch looks for this method on the dataset to load a batch at once.
    dataset.__getitems__ = SampleFetcher(dataset)
    batches = NumberedBatchSampler(loader.batch_sampler)
    return rebuild(loader, batches), batches
