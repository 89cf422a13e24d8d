"""Random seeds that depend only on the position in a run, not on its history."""

from __future__ import annotations

import random

import numpy as np
import torch


def mix(*numbers: int) -> int:
    """Combine numbers into a 32-bit seed; neighbouring numbers, or another order, give unrelated seeds.

    Args:
        numbers: Not negative.
    """
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def seed_process(*numbers: int) -> None:
    """Seed Python, NumPy and torch on all devices from a combination of numbers."""
    seed = mix(*numbers)
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def seed_worker(*numbers: int) -> None:
    """Seed Python, NumPy and torch on the CPU. It takes 0.01 ms, so it can run for each image.

    ``torch.manual_seed`` seeds every device, which takes ten times as long; data workers use no device.
    """
    seed = mix(*numbers)
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
