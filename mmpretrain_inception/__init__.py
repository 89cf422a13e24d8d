"""Inception V3 for OpenMMLab: backbone, neck, head, recipes and weights as a plugin of mmpretrain.

Importing it registers the classes with mmengine, the configs with mmpretrain's model hub, and a reader of checkpoints
that takes every publisher's files.
"""

import mmpretrain_inception.workarounds  # noqa: F401 - what it does on import
from mmpretrain_inception.hub import let_pipelines_load, register_models
from mmpretrain_inception.models import InceptionHead, InceptionNeck, InceptionV3
from mmpretrain_inception.version import __version__
from mmpretrain_inception.weights import loader  # noqa: F401 - registers itself with mmengine

__all__ = ['InceptionHead', 'InceptionNeck', 'InceptionV3', '__version__']

register_models()
let_pipelines_load()
