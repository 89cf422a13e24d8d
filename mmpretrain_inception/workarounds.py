"""Workarounds for dependencies, each with the condition under which it can be removed. Imported first."""

import warnings

from mmengine.config.utils import MODULE2PACKAGE

# mmengine reads ``_base_ = 'mmpretrain_inception::...'`` only for the packages in this table, and looks for a
# distribution's files in site-packages, where an editable installation has none. For the name of a module that is not a
# distribution, it uses the module's folder. This can be removed when mmengine finds packages by name.
MODULE2PACKAGE.setdefault('mmpretrain_inception', 'mmpretrain_inception.registry')

# mmcv-lite warns on import about a missing operator of other networks. This can be removed when it no longer warns.
with warnings.catch_warnings():
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    import mmcv.cnn.bricks.transformer  # noqa: F401
