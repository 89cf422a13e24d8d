"""Random numbers that depend on the epoch and on nothing before it."""

from __future__ import annotations

from functools import partial

import numpy as np
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner, set_random_seed

from mmpretrain_inception.registry import HOOKS


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed the main process and the loader's workers at the start of every training epoch.

    The seed comes from the run's seed, the epoch and the rank. A run that was stopped after an epoch and resumed then
    draws the numbers of an uninterrupted one. mmengine gives workers that do not persist the same seed in every epoch,
    by which every epoch would augment alike.

    The training loader needs ``persistent_workers=False``: workers that live on keep their own state.
    """

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the seeds of ``runner.epoch``."""
        loader = runner.train_dataloader
        seed = epoch_seed(runner.seed, runner.epoch, get_rank())
        set_random_seed(seed)
        # The rank is in the seed already.
        loader.worker_init_fn = partial(worker_init_fn, num_workers=loader.num_workers, rank=0, seed=seed)


def epoch_seed(seed: int, epoch: int, rank: int) -> int:
    """Mix three numbers into a seed of 31 bits that differs between any two epochs or ranks.

    Args:
        seed: The run's seed.
        epoch: The epoch, from 0.
        rank: The process's rank.
    """
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1)[0] >> 1)
