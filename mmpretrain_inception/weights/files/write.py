"""Write weights. A file gets its name only when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import save
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_write
from mmpretrain_inception.weights.publishers import SUFFIXES


def write_weights(path: str | Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any] | None = None) -> None:
    """Write a state dict as ``.pth`` or ``.safetensors``. An existing file is replaced at the end.

    Args:
        path: The file. Its suffix chooses the format.
        tensors: The state dict. A ``.pth`` keeps its order.
        meta: Plain metadata; ``.safetensors`` keeps only strings. With metadata, a ``.pth`` file contains
            ``dict(meta=..., state_dict=...)``, as mmengine expects. Defaults to None: the bare state dict, as from most
            publishers.

    Raises:
        InputError: If the suffix is neither of the two, or the file cannot be written.
    """
    path = Path(path)
    writer = _WRITERS.get(path.suffix)
    if writer is None:
        raise InputError(f'{path}: expected a name that ends in {" or ".join(_WRITERS)}')
    with atomic_write(path) as file:
        # Cloned, because safetensors refuses shared storage, and torch.save would write all of it for a slice.
        writer(file, {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, meta or {})


def _write_torch(file: BinaryIO, tensors: dict[str, Tensor], meta: Mapping[str, Any]) -> None:
    torch.save(dict(meta=dict(meta), state_dict=tensors) if meta else tensors, file)


def _write_safetensors(file: BinaryIO, tensors: dict[str, Tensor], meta: Mapping[str, Any]) -> None:
    strings = {key: value for key, value in meta.items() if isinstance(value, str)}
    # Other readers look for 'format'.
    file.write(save(tensors, metadata=dict(format='pt', **strings)))


_WRITERS: dict[str, Callable[[BinaryIO, dict[str, Tensor], Mapping[str, Any]], None]] = dict(
    zip(SUFFIXES, (_write_torch, _write_safetensors), strict=True)
)
