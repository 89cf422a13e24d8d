"""What this computer's processor computes in."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

# Instructions for bfloat16, by torch's names: x86 has the first two, ARM the last.
_BF16 = ('amx_bf16', 'avx512_bf16', 'bf16')
# Levels of ONEDNN_MAX_CPU_ISA, and its older name, that leave no instructions for bfloat16.
_LIMITS = ('ONEDNN_MAX_CPU_ISA', 'DNNL_MAX_CPU_ISA')
_WITHOUT_BF16 = ('SSE41', 'AVX', 'AVX2', 'AVX2_VNNI', 'AVX512_CORE', 'AVX512_CORE_VNNI')
# The instruction sets that decide how fast a convolution is, best first, each with the name people use.
_NAMED = {
    'amx_bf16': 'AMX',
    'avx512_bf16': 'AVX-512 with bfloat16',
    'avx512_vnni': 'AVX-512 with VNNI',
    'avx512_f': 'AVX-512',
    'avx2': 'AVX2',
    'sve2': 'SVE2',
    'sve': 'SVE',
    'neon': 'NEON',
}


def has_native_bf16() -> bool:
    """Return whether this processor computes in bfloat16, or only emulates it, which is slower than float32.

    ``ONEDNN_MAX_CPU_ISA`` is respected, as PyTorch's convolutions respect it.
    """
    found = capabilities()
    return _limit().upper() not in _WITHOUT_BF16 and any(found.get(name) for name in _BF16)


def processor_name() -> str:
    """Return the name of the processor as its maker writes it, or else its architecture."""
    try:
        names = re.findall(r'^model name\s*: (.+)$', Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def instruction_set() -> str:
    """Return the best instruction set that convolutions can use, and what limits it, for people."""
    found, limit = capabilities(), _limit()
    best = next((text for name, text in _NAMED.items() if found.get(name)), 'no vector instructions known')
    return f'{best}, limited to {limit} by ONEDNN_MAX_CPU_ISA' if limit else best


def capabilities() -> Mapping[str, Any]:
    """Return the processor's instruction sets, by torch's names."""
    if hasattr(torch.cpu, 'get_capabilities'):
        return torch.cpu.get_capabilities()
    # torch before 2.10 answers single questions only.
    questions = {
        'amx_bf16': '_is_amx_tile_supported',
        'avx512_bf16': '_is_avx512_bf16_supported',
        'avx512_f': '_is_avx512_supported',
        'avx2': '_is_avx2_supported',
    }
    return {name: getattr(torch.cpu, question, bool)() for name, question in questions.items()}


def _limit() -> str:
    return next((os.environ[name] for name in _LIMITS if os.environ.get(name)), '')
