"""Write weights so that no half-written file ever bears the final name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_write


def write_weights(path: str | Path, tensors: Mapping[str, Tensor], meta: Mapping[str, Any] | None = None) -> None:
    """Write a state dict as ``.pth`` or ``.safetensors``; an older file of that name is replaced at the end.

    Args:
        path: The file. Its suffix chooses the format.
        tensors: The state dict. A ``.pth`` keeps its order.
        meta: Plain metadata; ``.safetensors`` keeps its strings only. With any, a ``.pth`` becomes
            ``dict(meta=..., state_dict=...)``, as mmengine reads it. Defaults to none: a ``.pth`` is then the bare
            state dict, as publishers offer theirs.

    Raises:
        InputError: If the suffix is another, or the file cannot be written.
    """
    path = Path(path)
    writer = _WRITERS.get(path.suffix)
    if writer is None:
        raise InputError(f'weights are written as {" or ".join(_WRITERS)}, but {path} was to be written')
    with atomic_write(path) as file:
        # Clones share no storage, which safetensors refuses and a .pth would store whole for a slice.
        writer(file, {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}, meta or {})


def _write_torch(file: BinaryIO, tensors: dict[str, Tensor], meta: Mapping[str, Any]) -> None:
    torch.save(dict(meta=dict(meta), state_dict=tensors) if meta else tensors, file)


def _write_safetensors(file: BinaryIO, tensors: dict[str, Tensor], meta: Mapping[str, Any]) -> None:
    try:
        from safetensors.torch import save
    except ImportError as error:
        raise InputError('.safetensors needs the library safetensors; pip install safetensors') from error
    strings = {key: value for key, value in meta.items() if isinstance(value, str)}
    # 'format' is what other readers of the file look for.
    file.write(save(tensors, metadata=dict(format='pt', **strings)))


_WRITERS: dict[str, Callable[[BinaryIO, dict[str, Tensor], Mapping[str, Any]], None]] = {
    '.pth': _write_torch,
    '.safetensors': _write_safetensors,
}
