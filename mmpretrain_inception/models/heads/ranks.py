"""Top-k accuracy with few classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache

from mmengine.logging import print_log


def clamp_topk(topk: int | Sequence[int], num_classes: int) -> tuple[int, ...]:
    """Clamp ranks to the number of classes, and warn once about those that were too large.

    Args:
        topk: The requested ranks.
        num_classes: Number of classes.

    Returns:
        The clamped ranks without duplicates, in the same order.
    """
    return _clamp((topk,) if isinstance(topk, int) else tuple(topk), num_classes)


# The cache makes the head, the validation metric and the test metric warn only once together.
@cache
def _clamp(topk: tuple[int, ...], num_classes: int) -> tuple[int, ...]:
    clamped = tuple(dict.fromkeys(min(k, num_classes) for k in topk))
    if max(topk) > num_classes:
        print_log(
            f'top-{max(topk)} accuracy needs more than {num_classes} classes; reporting top-{num_classes} instead',
            logger='current',
            level=logging.WARNING,
        )
    return clamped
