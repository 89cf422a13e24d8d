"""Necks: from maps to features."""

from mmpretrain_inception.models.necks.inception_neck import InceptionNeck

__all__ = [
    'InceptionNeck',
]
