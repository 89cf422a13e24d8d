"""A hook that notes how a training run computes, for the step that started it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from torch import Tensor, distributed, nn

from mmpretrain_inception.utils.modules import unwrap

FILE = 'witness.json'


class Witness(Hook):
    """Writes ``witness.json`` to the work directory: devices, types, memory formats, the average, the processes.

    Args:
        forward: Whether to look at the maps of the first iteration, which a compiled model does not show.
    """

    # After EMAHook, whose average is computed a second time here.
    priority = 'LOWEST'

    def __init__(self, forward: bool = True) -> None:
        self.forward = forward
        self._found: dict[str, Any] = {}
        self._maps: list[Tensor] = []
        self._handles: list[Any] = []
        self._average: Tensor | None = None

    def before_train(self, runner: Runner) -> None:
        """Look at the model, and at the first maps when they come."""
        model = unwrap(runner.model)
        self._found = dict(
            wrapper=type(runner.model).__name__,
            backend=distributed.get_backend() if distributed.is_initialized() else None,
            devices=sorted({parameter.device.type for parameter in model.parameters()}),
            optimizer=type(runner.optim_wrapper).__name__,
        )
        if self.forward:
            convolutions = [module for module in model.modules() if isinstance(module, nn.Conv2d)]
            self._handles = [module.register_forward_hook(self._note_map) for module in convolutions]

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop looking at maps, and average the last layer's weights as EMAHook does, in float64."""
        for handle in self._handles:
            handle.remove()
        if self._handles:
            self._handles = []
            self._found['types'] = sorted({str(one.dtype).removeprefix('torch.') for one in self._maps})
            # In a map of one pixel or one channel, both formats are one.
            self._found['channels_last'] = all(
                one.is_contiguous(memory_format=torch.channels_last) for one in self._maps
            )
            self._maps = []
        hook = _average_of(runner)
        if hook is not None:
            classifier: Any = unwrap(runner.model)
            own = classifier.head.fc.weight.detach().cpu().double()
            momentum = hook.ema_model.momentum
            self._average = own if self._average is None else torch.lerp(self._average, own, momentum)

    def after_train(self, runner: Runner) -> None:
        """Write the file."""
        hook = _average_of(runner)
        if hook is not None and self._average is not None:
            theirs = hook.ema_model.module.head.fc.weight.detach().cpu().double()
            self._found['average_off_by'] = float((theirs - self._average).abs().max() / self._average.abs().max())
        Path(runner.work_dir, FILE).write_text(json.dumps(self._found))

    def _note_map(self, module: nn.Module, inputs: Any, output: Tensor) -> None:
        self._maps.append(output.detach())


def _average_of(runner: Runner) -> Any:
    return next((hook for hook in runner.hooks if isinstance(hook, EMAHook)), None)
