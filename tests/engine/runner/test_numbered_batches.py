import pickle
import random
from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from mmengine.dataset import worker_init_fn
from torch.utils.data import DataLoader, Dataset

from mmpretrain_inception.engine.runner.numbered_batches import NumberedBatch, number_batches


class Draws(Dataset):
    def __len__(self):
        return 7

    def __getitem__(self, index):
        return index, random.random(), np.random.random(), torch.rand(()).item()


def epoch_of(loader, batches, seed=0, epoch=0, rank=0, first=0):
    batches.key, batches.first = (seed, epoch, rank), first
    return [torch.stack([part.double() for part in batch]).tolist() for batch in loader]


def loader_with(**settings):
    return number_batches(DataLoader(Draws(), batch_size=2, **settings))


def test_a_batch_keeps_its_key_on_the_way_to_a_worker():
    batch = pickle.loads(pickle.dumps(NumberedBatch([3, 1], (5, 0, 2))))
    assert (batch, batch.key) == ([3, 1], (5, 0, 2))


@pytest.mark.parametrize('settings', [{}, {'num_workers': 1}, {'num_workers': 2, 'persistent_workers': True}])
def test_an_epoch_from_a_batch_on_is_the_rest_of_the_epoch(settings):
    whole = epoch_of(*loader_with(), epoch=1)
    loader, batches = loader_with(**settings)
    epoch_of(loader, batches)
    np.random.seed(7)
    for first in (2, 0):
        assert epoch_of(loader, batches, epoch=1, first=first) == whole[first:]


@pytest.mark.parametrize('other', [{'epoch': 1}, {'rank': 1}, {'seed': 1}])
def test_epochs_ranks_and_runs_draw_differently(other):
    loader, batches = loader_with()
    first, second = epoch_of(loader, batches), epoch_of(loader, batches, **other)
    draws = [value for batch in (*first, *second) for part in batch[1:] for value in part]
    assert len(set(draws)) == len(draws)


def test_the_loader_keeps_its_settings_and_its_sampler():
    original = DataLoader(Draws(), batch_size=2, drop_last=True, num_workers=1, prefetch_factor=3, timeout=4)
    loader, batches = number_batches(original)
    assert (loader.num_workers, loader.prefetch_factor, loader.timeout, len(loader)) == (1, 3, 4, 3)
    assert batches.sampler is original.sampler
    assert batches.batch_size == 2


@pytest.mark.parametrize('persistent', [False, True])
def test_mmengines_workers_repeat_their_random_numbers_and_ours_do_not(persistent):
    """The first half fails when mmengine seeds workers by the epoch."""
    init = partial(worker_init_fn, num_workers=1, rank=0, seed=0)
    stock = DataLoader(Draws(), batch_size=2, num_workers=1, worker_init_fn=init)
    draws = [[batch[2].tolist() for batch in stock] for _ in range(2)]
    assert draws[0] == draws[1]

    loader, batches = loader_with(num_workers=1, persistent_workers=persistent, worker_init_fn=init)
    draws = [[batch[2] for batch in epoch_of(loader, batches, epoch=epoch)] for epoch in range(2)]
    assert not {value for batch in draws[0] for value in batch} & {value for batch in draws[1] for value in batch}


def test_batches_before_the_first_are_not_loaded():
    loader, batches = loader_with()
    batches.first = 3
    assert [list(batch) for batch in islice(batches, 2)] == [[6]]
    assert len(loader) == 4
