"""Inception V3 for OpenMMLab: backbone, neck, head, recipes and weights as a plugin of mmpretrain.

Importing it registers the classes with mmengine and the configs with mmpretrain's model hub, and lets mmengine load
every publisher's files into models with our backbone. Other models load as before.
"""

import sys
from importlib import import_module
from typing import Any

from mmpretrain_inception.stack import require_opencv, require_stack, warn_of_overwritten
from mmpretrain_inception.version import __version__

__all__ = ['InceptionHead', 'InceptionNeck', 'InceptionV3', '__version__', 'load_model']

# `python -m mmpretrain_inception.doctor` imports this file first, and has to work where the rest cannot be imported.
if 'mmpretrain_inception.doctor' not in sys.orig_argv:
    require_stack()
    warn_of_overwritten()
    require_opencv()

    import mmpretrain_inception.workarounds  # noqa: F401 - what it does on import
    from mmpretrain_inception.hub import let_pipelines_load, let_publishers_files_load, register_models
    from mmpretrain_inception.models import InceptionHead, InceptionNeck, InceptionV3

    register_models()
    let_pipelines_load()
    let_publishers_files_load()


def __getattr__(name: str) -> Any:
    # Imported when it is used: it needs the parts that train and export too.
    if name == 'load_model':
        return import_module(f'{__name__}.inference.load').load_model
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
