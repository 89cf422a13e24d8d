"""Save and restore batch-norm statistics that differ between the processes of a run."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmpretrain_inception.utils.modules import unwrap_parallel

# For the model and each average: all buffers of one type, concatenated. With one tensor per buffer, the checkpoint of
# many processes would be a pickle with millions of instructions.
Buffers = dict[str, dict[str, Tensor]]


def gather_buffers(runner: Runner) -> list[Buffers] | None:
    """Return the buffers of the model and its averages in every process, by rank.

    During an epoch each process has the statistics of its own images, and a checkpoint has those of the first process.

    Returns:
        None if the processes agree, as after an epoch, or if there is only one.
    """
    if get_world_size() == 1:
        return None
    own = {name: _joined(module) for name, module in _modules(runner).items()}
    buffers: list[Buffers] = all_gather_object(own)
    return None if all(_equal(buffers[0], others) for others in buffers[1:]) else buffers


def restore_buffers(runner: Runner, buffers: list[Buffers]) -> None:
    """Restore this process's buffers; with another number of processes, keep those of the first one."""
    if len(buffers) != get_world_size():
        return
    own = buffers[get_rank()]
    for name, module in _modules(runner).items():
        for dtype, joined in own.get(name, {}).items():
            _split(module, dtype, joined)


def _joined(module: nn.Module) -> dict[str, Tensor]:
    dtypes = {str(buffer.dtype) for buffer in module.buffers()}
    return {dtype: torch.cat([buffer.flatten().cpu() for buffer in _of_type(module, dtype)]) for dtype in dtypes}


def _split(module: nn.Module, dtype: str, joined: Tensor) -> None:
    buffers = _of_type(module, dtype)
    sizes = [buffer.numel() for buffer in buffers]
    if sum(sizes) != joined.numel():
        # A different model, for which the checkpoint was loaded as far as it fits.
        return
    for buffer, part in zip(buffers, joined.split(sizes)):
        buffer.copy_(part.view_as(buffer))


def _of_type(module: nn.Module, dtype: str) -> list[Tensor]:
    return [buffer.detach() for buffer in module.buffers() if str(buffer.dtype) == dtype]


def _modules(runner: Runner) -> dict[str, nn.Module]:
    averages: list[Any] = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    return {
        'model': unwrap_parallel(runner.model),
        **{f'average_{number}': hook.ema_model for number, hook in enumerate(averages)},
    }


def _equal(first: Buffers, second: Buffers) -> bool:
    return all(torch.equal(value, second[name][key]) for name in first for key, value in first[name].items())
