"""Inception V3 for OpenMMLab: backbone, neck, head, recipes and weights as a plugin of mmpretrain."""

from mmengine.config.utils import MODULE2PACKAGE

from mmpretrain_inception.models import InceptionHead, InceptionNeck, InceptionV3
from mmpretrain_inception.version import __version__

__all__ = ['InceptionHead', 'InceptionNeck', 'InceptionV3', '__version__']

# mmengine reads ``_base_ = 'mmpretrain_inception::...'`` only for packages that it knows by this table.
MODULE2PACKAGE.setdefault('mmpretrain_inception', 'mmpretrain_inception')
