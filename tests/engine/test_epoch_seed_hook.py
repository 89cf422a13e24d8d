from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmpretrain_inception.engine import EpochSeedHook
from mmpretrain_inception.engine.epoch_seed_hook import epoch_seed


class Draws(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return np.random.random(), torch.rand(())


def draws_of_epoch(epoch, workers, seed=0):
    loader = DataLoader(Draws(), num_workers=workers, batch_size=1)
    EpochSeedHook().before_train_epoch(SimpleNamespace(train_dataloader=loader, seed=seed, epoch=epoch))
    return [float(value) for batch in loader for value in batch]


@pytest.mark.parametrize('workers', [0, 2])
def test_an_epoch_draws_the_same_whatever_came_before(workers):
    draws_of_epoch(0, workers)
    after_another = draws_of_epoch(1, workers)
    np.random.seed(7)
    torch.manual_seed(7)
    assert draws_of_epoch(1, workers) == after_another


@pytest.mark.parametrize('workers', [0, 2])
def test_epochs_draw_differently(workers):
    assert set(draws_of_epoch(0, workers)).isdisjoint(draws_of_epoch(1, workers))


def test_workers_draw_differently():
    draws = draws_of_epoch(0, workers=2)
    assert len(set(draws)) == len(draws)


def test_no_two_epochs_ranks_or_runs_share_a_seed():
    seeds = {epoch_seed(seed, epoch, rank) for seed in range(10) for epoch in range(20) for rank in range(16)}
    assert len(seeds) == 10 * 20 * 16
