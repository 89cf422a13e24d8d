"""Metrics, their reports and the cost of a model."""

from mmpretrain_inception.evaluation.metrics import CrossEntropy, TopKAccuracy
from mmpretrain_inception.evaluation.report import write_metrics

__all__ = [
    'CrossEntropy',
    'TopKAccuracy',
    'write_metrics',
]
