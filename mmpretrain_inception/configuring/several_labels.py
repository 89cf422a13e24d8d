"""What a config needs for images with several labels: mmpretrain's own head, loss and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from mmengine.config import Config
from mmpretrain.models import MultiLabelClsHead

from mmpretrain_inception.configuring.config_file import get_at, set_at
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.models.heads.inception_head import InceptionHead
from mmpretrain_inception.registry import MODELS, is_kind

# mAP comes first: the best checkpoint is the one with the highest.
_METRICS: list[dict[str, Any]] = [
    dict(type='mmpretrain.AveragePrecision'),
    dict(type='mmpretrain.MultiLabelMetric', thr=0.5, average='macro'),
]
_SAVE_BEST, _BEST = 'default_hooks.checkpoint.save_best', 'multi-label/mAP'
_FEATURES = 2048


def for_several_labels(cfg: Config, num_classes: int) -> Config:
    """Return a copy of a config with these settings; arguments and errors as of :func:`settings_for_several_labels`."""
    cfg = deepcopy(cfg)
    for key, value in settings_for_several_labels(cfg, num_classes):
        set_at(cfg, key, value)
    return cfg


def settings_for_several_labels(cfg: Config, num_classes: int) -> Iterator[tuple[str, Any]]:
    """Yield settings by their dotted names.

    The head is mmpretrain's linear one, with a sigmoid for each class and binary cross entropy. A config that has a
    head for several labels stays as it is.

    Args:
        cfg: The config, for one label or for several.
        num_classes: Number of classes.

    Raises:
        UsageError: If its head is for one label and not ours.
    """
    head = get_at(cfg, 'model.head') or {}
    if is_kind(head, MultiLabelClsHead, MODELS):
        return
    if not is_kind(head, InceptionHead, MODELS):
        raise UsageError(
            f'--data has several labels an image, for which the head of this config, {head.get("type")}, is not made; '
            "set model.head to one of mmpretrain's, such as MultiLabelLinearClsHead"
        )
    features = head.get('in_channels', _FEATURES)
    kind = 'mmpretrain.MultiLabelLinearClsHead'
    yield 'model.head', dict(_delete_=True, type=kind, num_classes=num_classes, in_channels=features)
    for phase in ('val', 'test'):
        if cfg.get(f'{phase}_evaluator') is not None:
            yield f'{phase}_evaluator', [dict(metric) for metric in _METRICS]
    if get_at(cfg, _SAVE_BEST) not in (None, 'auto'):
        yield _SAVE_BEST, _BEST
        yield 'default_hooks.checkpoint.rule', 'greater'
