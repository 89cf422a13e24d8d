"""Read ``.safetensors``, which can hold nothing but tensors and strings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from mmpretrain_inception.errors import InputError


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the metadata of a safetensors file.

    Raises:
        InputError: If the file is damaged, or the library is not installed.
    """
    try:
        from safetensors import safe_open
    except ImportError as error:
        raise InputError(f'{path} needs the library safetensors; pip install safetensors') from error
    try:
        with safe_open(path, framework='pt') as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except Exception as error:
        text = ' '.join(str(error).split())[:160]
        raise InputError(f'{path} is damaged, was cut short or is no safetensors file ({text})') from error
