"""Random numbers that depend on where a run is, and on nothing that came before."""

from __future__ import annotations

import random

import numpy as np
import torch


def mix(*numbers: int) -> int:
    """Mix numbers into a seed of 32 bits; neighbours, and another order, give unrelated seeds.

    Args:
        numbers: Not negative.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def seed_process(*numbers: int) -> None:
    """Seed Python, NumPy and torch, on all devices, from a mixture of numbers."""
    seed = mix(*numbers)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def seed_worker(*numbers: int) -> None:
    """Seed Python, NumPy and torch on the CPU, in a hundredth of a millisecond: once for each image is not too often.

    ``torch.manual_seed`` seeds every device and takes ten times as long; a process that loads data uses none.
    """
    seed = mix(*numbers)
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
