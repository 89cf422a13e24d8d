"""Checkpoints that torch's safe unpickler reads."""

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
_DROPPED = object()


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Store tensors and plain containers only, so that ``torch.load(..., weights_only=True)`` opens the file.

    mmengine 0.10.7 puts ``HistoryBuffer`` objects and NumPy arrays into its checkpoints, and torch >= 2.6 refuses them,
    ``--resume`` included. Allowing the classes again would open the safe unpickler to ``getattr``. This hook writes the
    same content as plain containers and, on loading, makes the objects from them that mmengine's message hub expects.

    It can go when mmengine writes checkpoints that ``weights_only=True`` reads.
    """

    priority = 'VERY_LOW'

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replace what is not plain in the parts where mmengine stores objects."""
        for part in _PARTS_WITH_OBJECTS:
            if part in checkpoint:
                checkpoint[part] = to_plain(checkpoint[part])

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Make history buffers of what :meth:`before_save_checkpoint` made of them."""
        scalars = checkpoint.get('message_hub', {}).get('log_scalars', {})
        for name, value in scalars.items():
            if isinstance(value, dict):
                scalars[name] = HistoryBuffer(
                    value['log_history'].cpu().numpy(), value['count_history'].cpu().numpy(), value['max_length']
                )


def to_plain(value: Any) -> Any:
    """Return ``value`` made of tensors, numbers, strings, None, lists, tuples and dicts.

    NumPy arrays become tensors, NumPy numbers Python's; a history buffer becomes a dict of its two arrays and its
    length. Functions are left out, since they are no state; anything else is left out with a warning.

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
        # torch.compile hangs attributes on the optimizer's tensors, by which torch.save would write objects.
        return value.detach()
    if value is None or isinstance(value, (Number, str, bytes)):
        return value
    if not callable(value):
        print_log(
            f'the checkpoint leaves out a value of type {type(value).__name__}: it holds plain containers only',
            logger='current',
            level=logging.WARNING,
        )
    return _DROPPED
