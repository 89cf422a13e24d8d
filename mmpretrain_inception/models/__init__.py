"""The networks: backbones, necks, heads, and classifiers made of several predictions."""

from mmpretrain_inception.models.backbones import InceptionV3
from mmpretrain_inception.models.classifiers import EnsembleClassifier
from mmpretrain_inception.models.heads import InceptionHead
from mmpretrain_inception.models.necks import InceptionNeck
from mmpretrain_inception.models.tta import MultiCropTTA

__all__ = [
    'EnsembleClassifier',
    'InceptionHead',
    'InceptionNeck',
    'InceptionV3',
    'MultiCropTTA',
]
