"""The options that a trained classifier is built with, as plain data for the contract in its checkpoint.

A dict names backbone, neck and head by their classes, with the arguments that matter for predictions. ``PARTS`` lists
which classes and arguments there may be and what each may hold, so that a checkpoint from a stranger builds nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmengine.model import BaseModel
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead, MultiLabelLinearClsHead

from mmpretrain_inception.models import InceptionHead, InceptionNeck, InceptionV3
from mmpretrain_inception.registry import MODELS, resolve

Network = dict[str, dict[str, Any]]
Checks = Mapping[str, Callable[[Any], bool]]

_NORMS = ('BN', 'BN2d', 'SyncBN', 'GN')
# What they hold beside the type: decay, epsilon and flags.
_NORM_NUMBERS = ('momentum', 'eps', 'num_groups', 'affine', 'track_running_stats', 'requires_grad')


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _are_indices(value: Any) -> bool:
    values = value if isinstance(value, (list, tuple)) else [value]
    return bool(values) and all(type(item) is int for item in values)


def _is_norm(value: Any) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or value.get('type') not in _NORMS:
        return False
    return all(
        key == 'type' or (key in _NORM_NUMBERS and (item is None or type(item) in (int, float, bool)))
        for key, item in value.items()
    )


def _or_none(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or accepts(value)


_CLASSIFIER: Checks = dict(num_classes=_is_count, in_channels=_is_count)
# By part and class the arguments and what each may hold. What only training uses is left out: losses, freezing,
# initialisation, recomputing.
PARTS: dict[str, dict[type, Checks]] = {
    'backbone': {
        InceptionV3: dict(
            out_indices=_are_indices,
            norm_cfg=_is_norm,
            count_include_pad=_is_flag,
            last_pool=lambda value: value in ('avg', 'max'),
            stem=lambda value: value in ('3x3', '7x7'),
            stem_stride=_is_count,
            stem_pool=_is_flag,
            stem_pool2_padding=lambda value: type(value) is int,
            in_channels=_is_count,
            deploy=_is_flag,
        )
    },
    'neck': {InceptionNeck: {}, GlobalAveragePooling: {}},
    'head': {
        InceptionHead: dict(
            **_CLASSIFIER,
            dropout=_is_number,
            with_aux=_is_flag,
            aux_in_channels=_is_count,
            aux_fc_norm=_is_flag,
            norm_cfg=_is_norm,
        ),
        LinearClsHead: _CLASSIFIER,
        MultiLabelLinearClsHead: dict(**_CLASSIFIER, thr=_or_none(_is_number), topk=_or_none(_is_count)),
    },
}
# Arguments that change only training.
_OF_TRAINING = {
    'frozen_stages',
    'norm_eval',
    'with_cp',
    'init_cfg',
    'loss',
    'aux_weight',
    'cal_acc',
    'train_cfg',
    'data_preprocessor',
}
# The ranks of the accuracy that training logs. Of heads for several labels, what chooses the labels.
_LOGGED = {InceptionHead: {'topk'}, LinearClsHead: {'topk'}}
NETWORK_TYPES = frozenset({ImageClassifier.__name__, *(kind.__name__ for kinds in PARTS.values() for kind in kinds)})
_BY_NAME = {part: {kind.__name__: kind for kind in kinds} for part, kinds in PARTS.items()}


def describe_network(model: Mapping[str, Any]) -> tuple[Network | None, str]:
    """Describe a config's classifier.

    Args:
        model: The config of the model.

    Returns:
        The options, and ''. None, and what no rule describes, where there is something.
    """
    if resolve(model.get('type'), MODELS) is not ImageClassifier:
        return None, f'model.type={model.get("type")}'
    others = set(model) - {'type', 'pretrained', *PARTS, *_OF_TRAINING}
    if others or model.get('pretrained'):
        return None, f'model.{min(others, default="pretrained")}'
    network: Network = {}
    for part, kinds in PARTS.items():
        settings = model.get(part) or {}
        kind = resolve(settings.get('type'), MODELS)
        if kind not in kinds:
            return None, f'model.{part}.type={settings.get("type")}'
        ignored = _OF_TRAINING | _LOGGED.get(kind, set()) | {'type'}
        arguments = {key: _plain(value) for key, value in settings.items() if key not in ignored}
        wrong = [key for key, value in arguments.items() if not _accepts(kinds[kind], key, value)]
        if wrong:
            return None, f'model.{part}.{wrong[0]}={settings[wrong[0]]}'
        network[part] = dict(type=kind.__name__, **arguments)
    return network, ''


def is_network(value: Any) -> bool:
    """Return whether a value is a valid description of a classifier."""
    if not isinstance(value, dict) or value.keys() != PARTS.keys():
        return False
    return all(_is_part(_BY_NAME[part], PARTS[part], settings) for part, settings in value.items())


def build_network(network: Network, data_preprocessor: dict[str, Any]) -> BaseModel:
    """Build the classifier of a valid description, with its weights as they are initialised.

    Args:
        network: What :func:`describe_network` returned.
        data_preprocessor: mmengine's config of what normalises the images.
    """
    parts = {part: dict(settings, type=_BY_NAME[part][settings['type']]) for part, settings in network.items()}
    return MODELS.build(dict(type=ImageClassifier, **parts, data_preprocessor=data_preprocessor))


def _is_part(by_name: Mapping[str, type], kinds: Mapping[type, Checks], settings: Any) -> bool:
    if not isinstance(settings, dict) or not isinstance(settings.get('type'), str):
        return False
    kind = by_name.get(settings['type'])
    return kind is not None and all(
        _accepts(kinds[kind], key, value) for key, value in settings.items() if key != 'type'
    )


def _accepts(checks: Checks, key: str, value: Any) -> bool:
    return key in checks and checks[key](value)


def _plain(value: Any) -> Any:
    """Return a config's value as dicts, lists and scalars."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
