"""Top-k accuracy for any number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmpretrain.evaluation.metrics import Accuracy

from mmpretrain_inception.models.heads.ranks import clamp_topk
from mmpretrain_inception.registry import METRICS


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
