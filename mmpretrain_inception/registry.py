"""Registries of the scope ``mmpretrain_inception``.

They are children of mmengine's root registries, because only the root's own children are found from every other scope
(``mmpretrain_inception.InceptionV3`` then builds from mmpretrain's, mmengine's and any third registry).

mmengine marks what is inherited by ``_base_ = 'mmpretrain_inception::...'`` with this scope, and our configs name
mmpretrain's classes without a prefix. Each registry therefore asks mmpretrain's registry of the same kind for a name
that it does not hold.
"""

from __future__ import annotations

from mmengine.registry import STRATEGIES as MMENGINE_STRATEGIES
from mmengine.registry import Registry
from mmpretrain import registry as mmpretrain_registry

SCOPE = 'mmpretrain_inception'


class PluginRegistry(Registry):
    """A registry of this package's scope that falls back on mmpretrain's.

    Args:
        base: mmpretrain's registry of the same kind.
        locations: Modules whose import registers this package's classes of that kind. Defaults to none.
    """

    def __init__(self, base: Registry, *locations: str) -> None:
        # A registry without locations makes mmengine look for `mmpretrain_inception.utils.register_all_modules` and, when
        # there is none, say that the package is not installed.
        super().__init__(base.name, parent=base.parent, scope=SCOPE, locations=list(locations) or [__name__])
        self._base = base

    def get(self, key: str) -> type | None:
        """Return the class registered as ``key`` here or, if there is none, in mmpretrain's registry."""
        self.import_from_location()
        scope, name = self.split_scope_key(key)
        if scope in (None, SCOPE) and name in self.module_dict:
            return self.module_dict[name]
        return self._base.get(key)


MODELS = PluginRegistry(
    mmpretrain_registry.MODELS, 'mmpretrain_inception.models', 'mmpretrain_inception.deploy.exported_classifier'
)
DATASETS = PluginRegistry(mmpretrain_registry.DATASETS, 'mmpretrain_inception.datasets')
TRANSFORMS = PluginRegistry(mmpretrain_registry.TRANSFORMS, 'mmpretrain_inception.datasets')
HOOKS = PluginRegistry(mmpretrain_registry.HOOKS, 'mmpretrain_inception.engine')
LOOPS = PluginRegistry(mmpretrain_registry.LOOPS, 'mmpretrain_inception.engine')
RUNNERS = PluginRegistry(mmpretrain_registry.RUNNERS, 'mmpretrain_inception.engine')
OPTIM_WRAPPERS = PluginRegistry(mmpretrain_registry.OPTIM_WRAPPERS, 'mmpretrain_inception.engine')
METRICS = PluginRegistry(mmpretrain_registry.METRICS, 'mmpretrain_inception.evaluation')
# mmpretrain has no registry of this kind.
STRATEGIES = Registry(
    MMENGINE_STRATEGIES.name, parent=MMENGINE_STRATEGIES, scope=SCOPE, locations=['mmpretrain_inception.engine']
)

# Nothing of ours is in these; inherited configs name mmpretrain's and mmengine's entries through our scope.
LOG_PROCESSORS = PluginRegistry(mmpretrain_registry.LOG_PROCESSORS)
OPTIMIZERS = PluginRegistry(mmpretrain_registry.OPTIMIZERS)
OPTIM_WRAPPER_CONSTRUCTORS = PluginRegistry(mmpretrain_registry.OPTIM_WRAPPER_CONSTRUCTORS)
PARAM_SCHEDULERS = PluginRegistry(mmpretrain_registry.PARAM_SCHEDULERS)
DATA_SAMPLERS = PluginRegistry(mmpretrain_registry.DATA_SAMPLERS)
MODEL_WRAPPERS = PluginRegistry(mmpretrain_registry.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = PluginRegistry(mmpretrain_registry.WEIGHT_INITIALIZERS)
BATCH_AUGMENTS = PluginRegistry(mmpretrain_registry.BATCH_AUGMENTS)
TASK_UTILS = PluginRegistry(mmpretrain_registry.TASK_UTILS)
EVALUATORS = PluginRegistry(mmpretrain_registry.EVALUATORS)
VISUALIZERS = PluginRegistry(mmpretrain_registry.VISUALIZERS)
VISBACKENDS = PluginRegistry(mmpretrain_registry.VISBACKENDS)
