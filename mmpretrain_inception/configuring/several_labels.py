"""What a config needs for images with several labels: mmpretrain's own head, loss and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmpretrain.models import MultiLabelClsHead

from mmpretrain_inception.configuring.config_file import get_at
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


def head_for_several_labels(head: dict[str, Any], num_classes: int) -> dict[str, Any]:
    """Return the head in whose place a head for one label stands.

    It is mmpretrain's linear head with a sigmoid for each class and binary cross entropy. A head that is for several
    labels already comes back as it is.

    Args:
        head: The head of a config.
        num_classes: Number of classes.

    Raises:
        UsageError: If it is a head for one label that is not ours.
    """
    if is_kind(head, MultiLabelClsHead, MODELS):
        return head
    if not is_kind(head, InceptionHead, MODELS):
        raise UsageError(
            f'--data has several labels an image, for which the head of this config, {head.get("type")}, is not made; '
            "set model.head to one of mmpretrain's, such as MultiLabelLinearClsHead"
        )
    features = head.get('in_channels', _FEATURES)
    return dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=num_classes, in_channels=features)


def settings_for_several_labels(cfg: Config, num_classes: int) -> Iterator[tuple[str, Any]]:
    """Yield settings by their dotted names.

    Args:
        cfg: The config, for one label or for several.
        num_classes: Number of classes.

    Raises:
        UsageError: If its head cannot be replaced.
    """
    head = get_at(cfg, 'model.head') or {}
    if is_kind(head, MultiLabelClsHead, MODELS):
        return
    yield 'model.head', dict(_delete_=True, **head_for_several_labels(head, num_classes))
    for phase in ('val', 'test'):
        if cfg.get(f'{phase}_evaluator') is not None:
            yield f'{phase}_evaluator', [dict(metric) for metric in _METRICS]
    if get_at(cfg, _SAVE_BEST) not in (None, 'auto'):
        yield _SAVE_BEST, _BEST
        yield 'default_hooks.checkpoint.rule', 'greater'
