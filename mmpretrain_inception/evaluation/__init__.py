"""Metrics."""

from mmpretrain_inception.evaluation.top_k import TopKAccuracy, clamp_topk

__all__ = ['TopKAccuracy', 'clamp_topk']
