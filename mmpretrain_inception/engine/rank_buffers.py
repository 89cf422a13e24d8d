"""Batch-norm statistics that differ between the processes of a run."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn

Buffers = dict[str, dict[str, Tensor]]


def gather_buffers(runner: Runner) -> list[Buffers] | None:
    """Return the buffers of the model and of its average in every process, by rank.

    Within an epoch each process has statistics of its own images, and a checkpoint holds those of the first.

    Returns:
        None where the processes agree, as they do at the end of an epoch, or where there is only one.
    """
    if get_world_size() == 1:
        return None
    own = {
        name: {key: buffer.detach().cpu() for key, buffer in module.named_buffers()}
        for name, module in _modules(runner).items()
    }
    buffers: list[Buffers] = all_gather_object(own)
    return None if all(_equal(buffers[0], others) for others in buffers[1:]) else buffers


def restore_buffers(runner: Runner, buffers: list[Buffers]) -> None:
    """Give this process the buffers that it had; with another number of processes the first one's stay."""
    if len(buffers) != get_world_size():
        return
    own = buffers[get_rank()]
    for name, module in _modules(runner).items():
        saved = own.get(name, {})
        for key, buffer in module.named_buffers():
            if key in saved:
                buffer.data.copy_(saved[key])


def _modules(runner: Runner) -> dict[str, nn.Module]:
    averages: list[Any] = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return {'model': model, **{f'average_{number}': hook.ema_model for number, hook in enumerate(averages)}}


def _equal(first: Buffers, second: Buffers) -> bool:
    return all(torch.equal(value, second[name][key]) for name in first for key, value in first[name].items())
