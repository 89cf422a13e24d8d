"""Ranks of top-k accuracy that exist."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

from mmengine.logging import print_log


def clamp_topk(topk: int | Sequence[int], num_classes: int) -> tuple[int, ...]:
    """Replace ranks beyond the number of classes by it, with one warning for all who ask for the same.

    Args:
        topk: The ranks asked for.
        num_classes: Number of classes.

    Returns:
        The ranks that exist, each once, in the order given.
    """
    return _clamp((topk,) if isinstance(topk, int) else tuple(topk), num_classes)


# The cache makes the head, the validation and the test metric warn once between them.
@cache
def _clamp(topk: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    clamped = tuple(dict.fromkeys(min(k, num_classes) for k in topk))
    if max(topk) > num_classes:
        print_log(
            f'top-{max(topk)} accuracy was asked for, but there are {num_classes} classes: '
            f'top-{num_classes} is reported instead',
            logger='current',
            level=logging.WARNING,
        )
    return clamped
