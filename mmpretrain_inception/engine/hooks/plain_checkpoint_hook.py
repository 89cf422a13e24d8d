"""Checkpoints that torch's restricted unpickler opens, on any machine."""

from __future__ import annotations

import logging
from numbers import Number
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer, print_log
from mmengine.runner import Runner

from mmpretrain_inception.registry import HOOKS

_PARTS_WITH_OBJECTS = ('meta', 'message_hub', 'param_schedulers', 'optimizer')
# EMAHook puts its average here as it is, on the GPU of a run that has one.
_PARTS_ON_DEVICE = ('state_dict', 'ema_state_dict')
_DROPPED = object()


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Save only tensors and plain containers, so that ``torch.load(..., weights_only=True)`` opens the file.

    mmengine 0.10.7 saves ``HistoryBuffer`` objects and NumPy arrays in its checkpoints, which torch >= 2.6 refuses,
    also in ``--resume``. Allowing these classes would open the restricted unpickler to ``getattr``. This hook saves the
    same content as plain containers and, after loading, rebuilds the objects that mmengine's message hub expects. Where
    mmengine saves tensors of a GPU, which torch loads only where there is one, it saves them as tensors of the CPU.

    It looks at each value: one that is plain already stays as it is. It can be removed when mmengine's checkpoints open
    with ``weights_only=True``, without a GPU too.
    """

    priority = 'VERY_LOW'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Convert the parts in which mmengine saves objects to plain containers, and weights to tensors of the CPU."""
        for part in _PARTS_WITH_OBJECTS:
            if part in checkpoint:
                checkpoint[part] = to_plain(checkpoint[part])
        for part in _PARTS_ON_DEVICE:
            for name, value in checkpoint.get(part, {}).items():
                if isinstance(value, torch.Tensor):
                    checkpoint[part][name] = value.cpu()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Rebuild the history buffers."""
        scalars = checkpoint.get('message_hub', {}).get('log_scalars', {})
        for name, value in scalars.items():
            if isinstance(value, dict):
                scalars[name] = HistoryBuffer(
                    value['log_history'].cpu().numpy(), value['count_history'].cpu().numpy(), value['max_length']
                )


def to_plain(value: Any) -> Any:
    """Convert ``value`` to tensors, numbers, strings, None, lists, tuples and dicts.

    NumPy arrays become tensors and NumPy numbers Python numbers; a history buffer becomes a dict of its two arrays and
    its length. Functions are dropped, because they are not state; anything else is dropped with a warning.

    Args:
        value: Any content of a checkpoint.
    """
    if isinstance(value, HistoryBuffer):
        log_history, count_history = value.data
        return to_plain(dict(log_history=log_history, count_history=count_history, max_length=value.max_length))
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        plain = {key: to_plain(item) for key, item in value.items()}
        return {key: item for key, item in plain.items() if item is not _DROPPED}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [item for item in map(to_plain, value) if item is not _DROPPED]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, torch.Tensor):
        # torch.compile sets attributes on the optimizer's tensors, which torch.save would save as objects.
        return value.detach()
    if value is None or isinstance(value, (Number, str, bytes)):
        return value
    if not callable(value):
        print_log(
            f'not saved in the checkpoint: a value of type {type(value).__name__}, only plain containers are saved',
            logger='current',
            level=logging.WARNING,
        )
    return _DROPPED
