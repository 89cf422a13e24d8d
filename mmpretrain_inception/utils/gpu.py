"""The GPUs of this computer: every question about them is asked here."""

from __future__ import annotations

import torch


def has_gpu() -> bool:
    """Return whether PyTorch can compute on a GPU here."""
    return torch.cuda.is_available()


def count_gpus() -> int:
    """Return the number of GPUs that this process may use (``CUDA_VISIBLE_DEVICES``)."""
    return torch.cuda.device_count()


def gpu_has_native_bf16() -> bool:
    """Return whether the first GPU computes in bfloat16; older ones only emulate it, slower than float32.

    All processes of a run ask the same GPU, so that all of them train in the same precision.
    """
    return torch.cuda.is_bf16_supported(including_emulation=False)
