"""Top-k accuracy for any number of classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any

from mmengine.logging import print_log
from mmpretrain.evaluation.metrics import Accuracy

from mmpretrain_inception.registry import METRICS


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


@METRICS.register_module()
class TopKAccuracy(Accuracy):
    """mmpretrain's ``Accuracy`` that clamps ``topk`` to the number of classes.

    mmpretrain's own raises after the first epoch when there are fewer classes than the largest rank. It takes the same
    arguments, and its results bear the same names: ``accuracy/top1``, ``accuracy/top5``.

    Args:
        topk: As in mmpretrain. Defaults to 1.
        thrs: Scores up to which a prediction does not count. Defaults to None: the rank alone decides, also where a
            score is rounded to 0. mmpretrain's default is 0.
        **kwargs: As in mmpretrain.
    """

    def __init__(
        self,
        topk: int | Sequence[int] = (1,),
        thrs: float | Sequence[float | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(topk=topk, thrs=thrs, **kwargs)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Compute the accuracies in percent from the results of all samples."""
        if 'pred_score' in results[0]:
            self.topk: tuple[int, ...] = clamp_topk(self.topk, results[0]['pred_score'].numel())
        return super().compute_metrics(results)
