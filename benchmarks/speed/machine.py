"""Describe the machine and measure its limits."""

from __future__ import annotations

import ctypes
import gc
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mmpretrain_inception.stack import versions
from mmpretrain_inception.utils.processor import instruction_set, processor_name

# Large enough to reach the full speed of a processor, and half a second on two cores.
_MATRIX_SIZE = 4096
_LIBRARIES = ('torch', 'torchvision', 'timm', 'mmengine', 'mmpretrain', 'onnxruntime', 'openvino', 'nncf')
_STATUS = Path('/proc/self/status')


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return the GPU or processor, the processor's instruction set, the threads and the libraries' versions."""
    return dict(
        device=torch.cuda.get_device_name(device) if device.type == 'cuda' else processor_name(),
        instruction_set=instruction_set(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        **versions(*_LIBRARIES),
    )


def matrix_product(dtype: torch.dtype, device: torch.device) -> tuple[Callable[[], object], float]:
    """Return a product of two square matrices; its speed is a limit for convolutions in the same precision.

    Args:
        dtype: Type of the matrices.
        device: Where to multiply.

    Returns:
        A function that computes the product, and its number of multiply-adds.
    """
    left, right = (torch.randn(_MATRIX_SIZE, _MATRIX_SIZE, dtype=dtype, device=device) for _ in range(2))
    return lambda: left @ right, float(_MATRIX_SIZE) ** 3


def peak_memory(run: Callable[[], object], device: torch.device) -> float | None:
    """Return the peak memory of a run beyond what was held before it, in MB (1e6 bytes).

    Args:
        run: What to measure.
        device: Where it runs.

    Returns:
        None where the system does not report it; for CPUs, only Linux does.
    """
    gc.collect()
    if device.type == 'cuda':
        torch.cuda.reset_peak_memory_stats(device)
        held = torch.cuda.memory_allocated(device)
        run()
        return (torch.cuda.max_memory_allocated(device) - held) / 1e6
    try:
        # Freed memory that the allocator still holds would hide part of the peak.
        ctypes.CDLL(None).malloc_trim(0)
        # Linux: resets the peak, VmHWM, to what is held now.
        Path('/proc/self/clear_refs').write_text('5')
    except (OSError, AttributeError):
        return None
    before = _status_mb('VmRSS')
    run()
    return _status_mb('VmHWM') - before


def _status_mb(field: str) -> float:
    kilobytes = re.search(rf'{field}:\s+(\d+) kB', _STATUS.read_text())
    return int(kilobytes[1]) * 1024 / 1e6 if kilobytes else 0.0
