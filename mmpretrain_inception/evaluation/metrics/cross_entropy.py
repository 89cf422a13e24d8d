"""The loss on validation data, as a metric."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric

from mmpretrain_inception.registry import METRICS


@METRICS.register_module()
class CrossEntropy(BaseMetric):
    """Mean cross entropy between labels and predicted scores, in nats, without label smoothing or class weights.

    Reported as ``single-label/cross_entropy``. A score of 0 counts as the smallest normal float32, 1.2e-38.

    Takes the arguments of mmengine's ``BaseMetric``: ``collect_device`` and ``prefix``.
    """

    # The prefix of mmpretrain's SingleLabelMetric. Not named "loss", because mmengine's log averages such values.
    default_prefix = 'single-label'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the score of each image's label.

        Args:
            data_batch: Unused.
            data_samples: With ``pred_score`` of shape (num_classes,) and ``gt_label`` of shape (1,).
        """
        self.results.extend(sample['pred_score'][sample['gt_label']].item() for sample in data_samples)

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """Average over the images of all processes."""
        scores = torch.tensor(results, dtype=torch.float64).clamp(min=torch.finfo(torch.float32).tiny)
        return dict(cross_entropy=-scores.log().mean().item())
