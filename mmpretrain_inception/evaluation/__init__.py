"""Metrics and the cost of a model."""

from mmpretrain_inception.evaluation.metrics import CrossEntropy, TopKAccuracy

__all__ = [
    'CrossEntropy',
    'TopKAccuracy',
]
