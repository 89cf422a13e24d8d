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
    """``OptimWrapper`` whose forward pass is autocast to bfloat16, on a CPU as on a GPU.

    bfloat16 has the range of float32, so the gradients need no loss scaling. mmengine's ``AmpOptimWrapper`` refuses
    to run without an accelerator; this class can go when that one accepts a CPU. Takes the same arguments as mmengine's
    ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast within mmengine's own context, which handles gradient accumulation."""
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            yield
