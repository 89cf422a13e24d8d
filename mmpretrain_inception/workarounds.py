"""What dependencies make necessary, each with the condition under which it can go. Imported before anything else."""

import warnings

from mmengine.config.utils import MODULE2PACKAGE

# mmengine reads ``_base_ = 'mmpretrain_inception::...'`` only for the packages of this table, and looks for a
# distribution's files in site-packages, where an editable installation has none. For a name that is a module and no
# distribution it takes the module's own folder. It can go when mmengine finds packages by their name.
MODULE2PACKAGE.setdefault('mmpretrain_inception', 'mmpretrain_inception.registry')

# mmcv-lite warns on import that it lacks an operator of other networks. It can go when mmcv-lite no longer warns.
with warnings.catch_warnings():
    warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')
    import mmcv.cnn.bricks.transformer  # noqa: F401
