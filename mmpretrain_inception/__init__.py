"""Inception V3 for OpenMMLab: backbone, neck, head, recipes and weights as a plugin of mmpretrain."""

import mmpretrain_inception.workarounds  # noqa: F401 - what it does on import
from mmpretrain_inception.models import InceptionHead, InceptionNeck, InceptionV3
from mmpretrain_inception.version import __version__

__all__ = ['InceptionHead', 'InceptionNeck', 'InceptionV3', '__version__']
