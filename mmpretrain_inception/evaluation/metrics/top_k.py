"""Top-k accuracy for any number of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmpretrain.evaluation.metrics import Accuracy
from torch import Tensor

from mmpretrain_inception.models.heads.ranks import as_ranks, clamp_topk
from mmpretrain_inception.registry import METRICS


@METRICS.register_module()
class TopKAccuracy(Accuracy):
    """mmpretrain's ``Accuracy`` that works with few classes and computes percentages exactly.

    mmpretrain's own raises an error after the first epoch when there are fewer classes than the largest rank, and
    reports 100.00000762939453 for some numbers of correct images, since it computes in float32. This class takes the
    same arguments and reports under the same names: ``accuracy/top1``, ``accuracy/top5``.

    Args:
        topk: Ranks, as in mmpretrain. Those above the number of classes become that number. Defaults to 1.
        thrs: Predictions with a score up to this threshold count as wrong. Defaults to None: only the rank decides,
            even if a score is rounded to 0. mmpretrain's default is 0.
        **kwargs: As in mmpretrain.

    Raises:
        InputError: If a rank is no whole number of at least 1.
    """

    def __init__(
        self,
        topk: int | Sequence[int] = (1,),
        thrs: float | Sequence[float | None] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(topk=as_ranks(topk), thrs=thrs, **kwargs)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Compute the accuracies in percent.

        Args:
            results: For each image ``gt_label`` of shape (1,) and either ``pred_score`` of shape (num_classes,) or
                ``pred_label`` of shape (1,), which gives top-1 only.
        """
        labels = torch.cat([result['gt_label'] for result in results])
        if 'pred_score' not in results[0]:
            predicted = torch.cat([result['pred_label'] for result in results])
            return dict(top1=_percentage(predicted == labels))
        self.topk: tuple[int, ...] = clamp_topk(self.topk, results[0]['pred_score'].numel())
        scores = torch.stack([result['pred_score'] for result in results]).float()
        best, ranked = scores.topk(max(self.topk), dim=1)
        correct = ranked == labels[:, None]
        return {
            f'top{k}{self._suffix(threshold)}': _percentage(
                (correct if threshold is None else correct & (best > threshold))[:, :k].any(dim=1)
            )
            for k in self.topk
            for threshold in self.thrs
        }

    def _suffix(self, threshold: float | None) -> str:
        """Return what mmpretrain appends to a name if there are several thresholds."""
        if len(self.thrs) == 1:
            return ''
        return '_no-thr' if threshold is None else f'_thr-{threshold:.2f}'


def _percentage(correct: Tensor) -> float:
    return 100 * int(correct.sum()) / len(correct)
