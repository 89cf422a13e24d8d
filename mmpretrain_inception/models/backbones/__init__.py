"""Backbones: from images to maps."""

from mmpretrain_inception.models.backbones.inception_v3 import InceptionV3

__all__ = [
    'InceptionV3',
]
