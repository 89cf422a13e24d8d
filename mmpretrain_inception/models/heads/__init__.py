"""Heads: from features to losses and predictions."""

from mmpretrain_inception.models.heads.inception_head import InceptionHead

__all__ = [
    'InceptionHead',
]
