"""The network: backbone, neck and head; and what evaluates several predictions as one."""

from mmpretrain_inception.models.ensemble import EnsembleClassifier
from mmpretrain_inception.models.exported_classifier import ExportedClassifier
from mmpretrain_inception.models.inception_head import InceptionHead
from mmpretrain_inception.models.inception_neck import InceptionNeck
from mmpretrain_inception.models.inception_v3 import InceptionV3
from mmpretrain_inception.models.multi_crop_tta import MultiCropTTA

__all__ = ['EnsembleClassifier', 'ExportedClassifier', 'InceptionHead', 'InceptionNeck', 'InceptionV3', 'MultiCropTTA']
