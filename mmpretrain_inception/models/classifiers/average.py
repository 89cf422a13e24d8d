"""The average of several predictions for the same images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from mmpretrain.structures import DataSample


def average_scores(predictions: Iterable[Sequence[DataSample]]) -> list[DataSample]:
    """Average the scores of predictions that are made one after the other.

    Only a running sum is kept, so that memory does not grow with the number of predictions, and each of them may
    overwrite the one before.

    Args:
        predictions: At least one; each holds the same images, with ``pred_score`` of shape (num_classes,).

    Returns:
        The images of the last prediction, with the mean as ``pred_score``, in float32, and its best class as
        ``pred_label``.
    """
    count, total = 0, torch.tensor(0.0)
    for samples in predictions:
        scores = torch.stack([sample.pred_score for sample in samples]).float()
        count, total = count + 1, total + scores
    return [
        sample.set_pred_score(score).set_pred_label(score.argmax(0, keepdim=True))
        for sample, score in zip(samples, total / count)
    ]
