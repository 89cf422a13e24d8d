"""Training in bfloat16 on every device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn

from mmpretrain_inception.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BF16OptimWrapper(OptimWrapper):
    """``OptimWrapper`` with a forward pass in bfloat16, on CPUs and GPUs.

    bfloat16 has the range of float32, so no loss scaling is needed. mmengine's ``AmpOptimWrapper`` scales the loss in
    bfloat16 too, and does not run on a CPU. Takes the same arguments as mmengine's ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast inside mmengine's context, which handles gradient accumulation."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
