"""What this machine has that a config depends on."""

from __future__ import annotations

from dataclasses import dataclass

from mmpretrain_inception.utils.cores import cores_per_process
from mmpretrain_inception.utils.gpu import gpu_has_native_bf16, has_gpu
from mmpretrain_inception.utils.processor import has_native_bf16

FP32, FP16, BF16 = 'fp32', 'fp16', 'bf16'


@dataclass(frozen=True)
class Machine:
    """The machine of a run.

    Attributes:
        cuda: Whether there is a GPU.
        bf16: Whether the GPU, or else the processor, computes in bfloat16. Otherwise PyTorch emulates it, slower than
            float32.
        processor_bf16: Whether the processor does, which runs exported files also where there is a GPU.
        cores: CPU cores for each process of the run.
    """

    cuda: bool = False
    bf16: bool = True
    processor_bf16: bool = True
    cores: int = 1

    @classmethod
    def here(cls) -> Machine:
        """Describe the machine that this process runs on."""
        cuda, processor = has_gpu(), has_native_bf16()
        bf16 = gpu_has_native_bf16() if cuda else processor
        return cls(cuda=cuda, bf16=bf16, processor_bf16=processor, cores=cores_per_process())

    def precision(self, amp: bool | str) -> str:
        """Return what a run computes in.

        Args:
            amp: Whether mixed precision is asked for; ``'force'`` also where the processor only emulates it.
        """
        if not amp:
            return FP32
        if self.bf16:
            return BF16
        if self.cuda:
            return FP16
        return BF16 if amp == 'force' else FP32
