"""Testing in bfloat16 on every device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.runner import TestLoop
from mmengine.runner.amp import autocast

from mmpretrain_inception.registry import LOOPS


@LOOPS.register_module()
class BF16TestLoop(TestLoop):
    """``TestLoop`` in which ``fp16=True`` means bfloat16 on GPUs too, as on CPUs and in :class:`BF16OptimWrapper`.

    On a GPU, mmengine's loop uses float16, which ends at 65504, for a model that was trained in bfloat16. Takes the
    same arguments as mmengine's ``TestLoop``.
    """

    def run_iter(self, idx: int, data_batch: Sequence[dict[str, Any]]) -> None:
        """Test a batch; mmengine's context uses the type of the one around it."""
        with autocast(enabled=self.fp16, dtype=torch.bfloat16):
            super().run_iter(idx, data_batch)
