"""Metrics."""

from mmpretrain_inception.evaluation.cross_entropy import CrossEntropy
from mmpretrain_inception.evaluation.top_k import TopKAccuracy, clamp_topk

__all__ = ['CrossEntropy', 'TopKAccuracy', 'clamp_topk']
