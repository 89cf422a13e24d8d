"""The network: backbone, neck and head."""

from mmpretrain_inception.models.inception_head import InceptionHead
from mmpretrain_inception.models.inception_neck import InceptionNeck
from mmpretrain_inception.models.inception_v3 import InceptionV3

__all__ = ['InceptionHead', 'InceptionNeck', 'InceptionV3']
