"""Top-k accuracy with few classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

from mmengine.logging import print_log

from mmpretrain_inception.errors import InputError


def as_ranks(topk: int | Sequence[int]) -> tuple[int, ...]:
    """Return the ranks of top-k accuracies as a tuple.

    Args:
        topk: One rank or several.

    Raises:
        InputError: If one is no whole number of at least 1, or there is none.
    """
    ranks = tuple(topk) if isinstance(topk, Sequence) and not isinstance(topk, str) else (topk,)
    if not ranks or any(type(k) is not int or k < 1 for k in ranks):
        raise InputError(f'topk: expected whole numbers of at least 1, got {topk!r}')
    return ranks


def clamp_topk(topk: int | Sequence[int], num_classes: int) -> tuple[int, ...]:
    """Clamp ranks to the number of classes, and warn once about those that were too large.

    Args:
        topk: The requested ranks.
        num_classes: Number of classes.

    Returns:
        The clamped ranks without duplicates, in the same order.

    Raises:
        InputError: As :func:`as_ranks`.
    """
    return _clamp(as_ranks(topk), num_classes)


# The cache makes the head, the validation metric and the test metric say so only once together.
@cache
def _clamp(topk: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    clamped = tuple(dict.fromkeys(min(k, num_classes) for k in topk))
    if max(topk) > num_classes:
        print_log(
            f'top-{max(topk)} accuracy needs more than {num_classes} classes; reporting top-{num_classes} instead',
            logger='current',
            level=logging.INFO,
        )
    return clamped
