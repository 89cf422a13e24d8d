"""Evaluation in bfloat16 on every device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.runner import TestLoop
from mmengine.runner.amp import autocast

from mmpretrain_inception.registry import LOOPS


@LOOPS.register_module()
class BF16TestLoop(TestLoop):
    """``TestLoop`` whose ``fp16=True`` means bfloat16 on a GPU, as it does on a CPU and in :class:`BF16OptimWrapper`.

    mmengine's own takes float16 on a GPU, whose range ends at 65504, for a model that was trained in bfloat16. It can
    go when that one has a setting for it. Takes the same arguments as mmengine's ``TestLoop``.
    """

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """Test a batch; mmengine's own context takes the type of the one around it."""
        with autocast(enabled=self.fp16, dtype=torch.bfloat16):
            super().run_iter(idx, data_batch)
