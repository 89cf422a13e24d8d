"""What this machine has that a config depends on."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from mmpretrain_inception.utils.cores import cores_per_process


@dataclass(frozen=True)
class Machine:
    """The machine of a run.

    Attributes:
        cuda: Whether there is a GPU.
        bf16: Whether bfloat16 can be computed in.
        cores: CPU cores for each process of the run.
    """

    cuda: bool = False
    bf16: bool = True
    cores: int = 1

    @classmethod
    def here(cls) -> Machine:
        """Describe the machine that this process runs on."""
        cuda = torch.cuda.is_available()
        return cls(cuda=cuda, bf16=not cuda or torch.cuda.is_bf16_supported(), cores=cores_per_process())
