"""The only place that opens a file of weights, wherever it is and whoever published it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.download import download
from mmpretrain_inception.weights.files.read import read_checkpoint
from mmpretrain_inception.weights.files.torch_file import split_content

_ADDRESSES = ('http://', 'https://')


@dataclass(frozen=True)
class Opened:
    """What a file of weights holds.

    Attributes:
        tensors: The state dict on the CPU, by the names in the file, laid out as PyTorch lays them out.
        meta: Plain metadata, such as ``epoch`` and ``dataset_meta`` of mmengine's checkpoints.
        checkpoint: The whole content in the form that mmengine's Runner expects: ``state_dict`` and ``meta``, and the
            optimizer and more if the file has them.
        origin: The file or address as it was given, for messages.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    checkpoint: dict[str, Any]
    origin: str


# By path or address: what `keep` holds for the next call.
_kept: dict[str, Opened] = {}


def open_weights(source: str | Path, *, keep: bool = False) -> Opened:
    """Read a PyTorch, safetensors or Keras file without running anything in it.

    Args:
        source: A path, where ``~`` is the home folder, or an ``http://`` or ``https://`` address.
        keep: Whether to hold the result for the next call with the same source, which then gets the same content
            even if the file has been replaced since. Defaults to False.

    Raises:
        InputError: If the file cannot be read or downloaded, is damaged or of another kind, or holds more than tensors
            and plain containers.
    """
    origin = str(source)
    place = _place(origin)
    opened = _kept.pop(place, None) or _open(place, origin)
    if keep:
        _kept[place] = opened
    return opened


def _place(origin: str) -> str:
    """Return an address as it is, or an absolute path."""
    if origin.startswith(_ADDRESSES):
        return origin
    if '://' in origin:
        raise InputError(f'{origin}: expected a file or an address with http:// or https://')
    return str(Path(origin).expanduser().absolute())


def _open(place: str, origin: str) -> Opened:
    path = download(place) if place.startswith(_ADDRESSES) else Path(origin).expanduser()
    content = read_checkpoint(path)
    tensors, meta = split_content(path, content)
    if 'state_dict' not in content:
        content = dict(state_dict=tensors, meta=meta)
    return Opened(tensors, meta, content, origin)
