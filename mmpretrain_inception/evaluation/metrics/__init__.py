"""Metrics."""

from mmpretrain_inception.evaluation.metrics.cross_entropy import CrossEntropy
from mmpretrain_inception.evaluation.metrics.top_k import TopKAccuracy

__all__ = [
    'CrossEntropy',
    'TopKAccuracy',
]
