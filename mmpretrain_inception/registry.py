"""Registries of the scope ``mmpretrain_inception``.

They are children of mmengine's root registries, because only the root's own children are found from every other scope
(``mmpretrain_inception.InceptionV3`` then builds from mmpretrain's, mmengine's and any third registry).

mmengine marks settings that are inherited with ``_base_ = 'mmpretrain_inception::...'`` with this scope, and our
configs name mmpretrain's classes without a prefix. So each registry asks mmpretrain's registry of the same kind for
names that it does not have.
"""

from __future__ import annotations

from typing import Any

from mmengine.registry import STRATEGIES as MMENGINE_STRATEGIES
from mmengine.registry import DefaultScope, Registry
from mmpretrain import registry as mmpretrain_registry

SCOPE = 'mmpretrain_inception'


class PluginRegistry(Registry):
    """A registry of this package's scope that falls back to mmpretrain's.

    Args:
        base: mmpretrain's registry of the same kind.
        locations: Modules whose import registers this package's classes of that kind. Defaults to none.
    """

    def __init__(self, base: Registry, *locations: str) -> None:
        # For a registry without locations mmengine looks for `mmpretrain_inception.utils.register_all_modules`, does
        # not find it, and says that the package is not installed.
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

# These have no entries of ours; inherited configs use mmpretrain's and mmengine's entries through our scope.
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


def resolve(kind: Any, registry: Registry) -> type | None:
    """Return the class that a config's ``type`` means.

    ``type='CheckpointHook'``, ``type='mmengine.CheckpointHook'``, ``type='mmengine.hooks.CheckpointHook'`` and the
    class itself (mmengine's lazy configs) all give the same class. Compare types by this, never by their names.

    Args:
        kind: A name, a class, or None.
        registry: Where names are looked up: the current default scope's registry of that kind first, this one next.

    Returns:
        The class. None for names that nobody has registered, for functions and for None.
    """
    if isinstance(kind, type):
        return kind
    if not isinstance(kind, str):
        return None
    found = None
    if DefaultScope.get_current_instance() is not None:
        with registry.root.switch_scope_and_registry(None) as current:
            found = _look_up(kind, current)
    found = found or _look_up(kind, registry)
    return found if isinstance(found, type) else None


def is_kind(settings: Any, base: type, registry: Registry) -> bool:
    """Return whether a config such as ``dict(type='CheckpointHook', interval=1)`` builds a ``base`` or a subclass.

    Args:
        settings: The config. Anything but a dict with a known ``type`` gives False.
        base: The class.
        registry: As in :func:`resolve`.
    """
    found = resolve(settings.get('type'), registry) if isinstance(settings, dict) else None
    return found is not None and issubclass(found, base)


def _look_up(name: str, registry: Registry) -> Any:
    try:
        return registry.get(name)
    except RuntimeError:
        # How mmengine says that importing the module in a dotted name failed.
        return None
