"""Which settings a part of a config may have: those of the class that it builds, and those that mmengine takes out."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import Registry
from mmengine.runner import (
    EpochBasedTrainLoop,
    FlexibleRunner,
    IterBasedTrainLoop,
    LogProcessor,
    Runner,
    TestLoop,
    ValLoop,
    set_random_seed,
)
from mmpretrain.models.utils import ClsDataPreprocessor
from torch import nn
from torch.utils.data import DataLoader

from mmpretrain_inception import registry
from mmpretrain_inception.models.tta import MultiCrop, MultiCropTTA
from mmpretrain_inception.registry import MODELS, resolve

# Of every part.
_EVERYWHERE = frozenset(('type', '_delete_', '_scope_'))
# What the Runner passes to what it builds.
_PASSED = frozenset(('self', 'runner', 'cfg', 'args', 'kwargs'))
# Read by mmengine's Runner besides its arguments, by mmpretrain's and our tools.
_TOP = frozenset(
    (
        *('runner_type', 'strategy', 'model_wrapper_cfg', 'custom_imports', 'compile', 'sync_bn'),
        *('find_unused_parameters', 'activation_checkpointing', 'efficient_conv_bn_eval'),
        *('tta_model', 'tta_pipeline', 'image_folder', 'ensemble'),
    )
)
_PARAMWISE = frozenset(
    (
        *('custom_keys', 'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'dwconv_decay_mult'),
        *('flat_decay_mult', 'bypass_duplicate', 'dcn_offset_lr_mult', 'layer_decay_rate'),
    )
)
_CLIPPING = frozenset(('max_norm', 'norm_type', 'error_if_nonfinite', 'clip_value', 'foreach'))
_LOADER = frozenset(('num_batch_per_epoch',))

# Parts without a type: what mmengine builds from them, and names besides.
_UNTYPED: Mapping[str, tuple[tuple[Callable[..., Any], ...], frozenset[str]]] = {
    'train_cfg': ((EpochBasedTrainLoop, IterBasedTrainLoop), frozenset(('by_epoch',))),
    'val_cfg': ((ValLoop,), frozenset()),
    'test_cfg': ((TestLoop,), frozenset()),
    r'(train|val|test)_dataloader': ((DataLoader,), _LOADER),
    'optim_wrapper': ((OptimWrapper,), frozenset()),
    r'optim_wrapper\.paramwise_cfg': ((), _PARAMWISE),
    r'optim_wrapper\.clip_grad': ((), _CLIPPING),
    'log_processor': ((LogProcessor,), frozenset()),
    r'(model\.)?data_preprocessor': ((ClsDataPreprocessor,), frozenset()),
    r'model\.train_cfg': ((), frozenset(('augments', 'probs'))),
    'randomness': ((set_random_seed,), frozenset()),
    'auto_scale_lr': ((), frozenset(('enable', 'base_batch_size'))),
    'env_cfg': ((), frozenset(('cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'))),
    r'env_cfg\.mp_cfg': ((), frozenset(('mp_start_method', 'opencv_num_threads'))),
    r'ensemble\.\d+': ((), frozenset(('checkpoint', 'config'))),
}

# What mmengine takes out of a part before it builds it.
_TAKEN_OUT: tuple[tuple[str, frozenset[str]], ...] = (
    (r'optim_wrapper', frozenset(('optimizer', 'constructor', 'paramwise_cfg'))),
    (r'param_scheduler(\..*)?', frozenset(('convert_to_iter_based',))),
    (r'.*\.policies\.\d+', frozenset(('magnitude_key', 'magnitude_range'))),
)
_REGISTRIES = tuple(value for value in vars(registry).values() if isinstance(value, Registry))


def names_at_top() -> frozenset[str]:
    """Return the settings that a config may have at its top."""
    return _TOP | _arguments(Runner) | _arguments(FlexibleRunner)


def names_of(part: Mapping[str, Any], place: str) -> frozenset[str] | None:
    """Return the settings that a part of a config may have.

    Args:
        part: The part.
        place: Its dotted name.

    Returns:
        Their names. None: any, or not known.
    """
    kinds = _kinds(part)
    if kinds is None:
        return None
    extra = _EVERYWHERE.union(*(names for pattern, names in _TAKEN_OUT if re.fullmatch(pattern, place)))
    if not kinds:
        found = [(built, names) for pattern, (built, names) in _UNTYPED.items() if re.fullmatch(pattern, place)]
        if not found:
            return None
        (built, names), *_ = found
        return extra | names.union(*map(_arguments, built))
    accepted = [accepted_names(kind, part) for kind in kinds]
    return None if None in accepted else extra.union(*filter(None, accepted))


def accepted_names(kind: type, part: Mapping[str, Any]) -> frozenset[str] | None:
    """Return the arguments of a class, following ``**kwargs`` to its bases; None if it takes any.

    Args:
        kind: The class.
        part: The settings that it is built from.
    """
    names: set[str] = set()
    if issubclass(kind, Hook):
        names.add('priority')
    if issubclass(kind, nn.Module):
        # mmcv takes it from the settings of a normalisation.
        names.add('requires_grad')
    takes_any = False
    for base in kind.__mro__:
        if base is object or '__init__' not in vars(base):
            continue
        parameters = inspect.signature(vars(base)['__init__']).parameters.values()
        names.update(parameter.name for parameter in parameters)
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)
        if not takes_any:
            break
    forwarded = next((target(part) for base, target in _FORWARDED.items() if issubclass(kind, base)), None)
    if takes_any and forwarded is None:
        return None
    return frozenset(names | (_arguments(forwarded) if forwarded else frozenset())) - _PASSED


# Where the rest of the settings goes.
_FORWARDED: Mapping[type, Callable[[Mapping[str, Any]], Callable[..., Any] | None]] = {
    MultiCropTTA: lambda part: MultiCrop,
    CheckpointHook: lambda part: Runner.save_checkpoint,
    EMAHook: lambda part: resolve(part.get('ema_type', 'ExponentialMovingAverage'), MODELS),
}


def _kinds(part: Mapping[str, Any]) -> list[type] | None:
    """Return the classes that a part may build, [] if it names none, and None if nobody knows the name."""
    name = part.get('type')
    if name is None:
        return []
    # A name may stand for a metric and for a layer.
    found = {kind for kind in (resolve(name, place) for place in _REGISTRIES) if kind is not None}
    return list(found) or None


def _arguments(function: Callable[..., Any]) -> frozenset[str]:
    return frozenset(inspect.signature(function).parameters) - _PASSED
