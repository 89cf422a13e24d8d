"""The average of several predictions for the same images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from mmpretrain.models import MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor, nn


def average_scores(predictions: Iterable[Sequence[DataSample]], head: nn.Module | None = None) -> list[DataSample]:
    """Average the scores of predictions that are made one after another.

    Only a running sum is kept, so memory does not grow with the number of predictions, and each may overwrite the
    previous one.

    Args:
        predictions: One or more predictions for the same images, with ``pred_score`` of shape (num_classes,).
        head: The head that made them. With mmpretrain's ``MultiLabelClsHead``, ``thr`` or ``topk`` decides about each
            class; with any other, the best class is predicted. Defaults to None.

    Returns:
        The samples of the last prediction, with the mean in float32 as ``pred_score``, and ``pred_label`` from it.
    """
    count, total = 0, torch.tensor(0.0)
    for samples in predictions:
        scores = torch.stack([sample.pred_score for sample in samples]).float()
        count, total = count + 1, total + scores
    return [
        sample.set_pred_score(score).set_pred_label(_labels(score, head))
        for sample, score in zip(samples, total / count)
    ]


def _labels(score: Tensor, head: nn.Module | None) -> Tensor:
    if not isinstance(head, MultiLabelClsHead):
        return score.argmax(0, keepdim=True)
    return torch.where(score >= head.thr)[0] if head.thr is not None else score.topk(head.topk)[1]
