"""The only place that opens a file of weights, wherever it is and whoever published it.

A file is opened once, and each part is read once. The checks see the same bytes as the readers, even if the file is
replaced in the meantime.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.addresses import is_address
from mmpretrain_inception.weights.files.archive import ZIP_START, open_archive
from mmpretrain_inception.weights.files.containers import find_state_dict
from mmpretrain_inception.weights.files.download import download
from mmpretrain_inception.weights.files.form import check_form, tidy
from mmpretrain_inception.weights.files.keras_file import MEMBER, read_h5, read_keras_archive
from mmpretrain_inception.weights.files.safetensors_file import read_safetensors
from mmpretrain_inception.weights.files.torch_file import read_torch
from mmpretrain_inception.weights.metafile import address_of

Reader = Callable[[BinaryIO, str], dict[Any, Any]]

KINDS = 'a PyTorch (.pth, .pt), safetensors or Keras (.h5, .weights.h5, .keras) file'
# A training checkpoint of Inception V3 with Adam and averages has 0.5 GB.
MAX_BYTES = 2**32
_H5_START = b'\x89HDF\r\n\x1a\n'
# torch.save's format before torch 1.6: a bare pickle of protocol 2 or later.
_PICKLE_START = b'\x80'
_META_DEPTH = 6
_OMITTED = object()


@dataclass(frozen=True)
class Opened:
    """The content of a file of weights.

    Attributes:
        tensors: The state dict on the CPU, under the names in the file, in PyTorch's layout.
        meta: Plain metadata, such as ``epoch`` and ``dataset_meta`` of mmengine's checkpoints.
        checkpoint: The whole content in the form that mmengine's Runner expects: ``state_dict``, ``meta`` and, if the
            file has them, the optimizer and more.
        origin: The file or address as the user gave it, for messages.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, Any]
    checkpoint: dict[str, Any]
    origin: str


# Results that `keep` holds for the next call, by path or address.
_kept: dict[str, Opened] = {}


def open_weights(source: str | Path, *, keep: bool = False) -> Opened:
    """Read a PyTorch, safetensors or Keras file without executing anything in it.

    Args:
        source: A path (``~`` is the home folder), an ``http://`` or ``https://`` address, or the name of published
            weights. A file that has such a name needs a folder, as in ``./torchvision``.
        keep: Whether to hold the result for the next call with the same source, which then gets the same content
            even if the file has been replaced since. Defaults to False.

    Raises:
        InputError: If the file cannot be read or downloaded, is damaged, is not a file of weights, or holds more than
            tensors and plain containers.
    """
    origin = str(source)
    place = _place(origin)
    opened = _kept.pop(place, None) or _open(place, origin)
    if keep:
        _kept[place] = opened
    return opened


def fetch(address: str) -> Path:
    """Return the local copy of a file of weights on the web, which is downloaded the first time.

    Args:
        address: An ``http://`` or ``https://`` address.

    Raises:
        InputError: If it cannot be downloaded, or is not a file of weights.
    """
    return download(address, check=lambda path: read_checkpoint(path, address))


def class_names(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes in the metadata of a file, in the order of the model's outputs; () without any.

    Args:
        meta: As in :class:`Opened`, in any form.
    """
    dataset_meta = meta.get('dataset_meta')
    names = dataset_meta.get('classes') if isinstance(dataset_meta, dict) else None
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)


@contextmanager
def open_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a regular file that is not too large for weights.

    Args:
        path: The file.

    Raises:
        InputError: If it is something else or too large, or cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer.
        with open(path, 'rb', opener=lambda name, flags: os.open(name, flags | getattr(os, 'O_NONBLOCK', 0))) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f'{path} is not a regular file; expected {KINDS}')
            if status.st_size > MAX_BYTES:
                raise InputError(f'{path} has {status.st_size:,} bytes; expected a file of at most {MAX_BYTES:,}')
            yield file
    except IsADirectoryError as error:
        raise InputError(f'{path} is a folder; expected {KINDS}') from error
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error


def read_checkpoint(path: str | Path, origin: str) -> dict[str, Any]:
    """Read everything in a file, in the form that mmengine's Runner expects.

    Args:
        path: The file.
        origin: Its name, for messages.

    Raises:
        InputError: As :func:`open_weights`.
    """
    with open_file(path) as file:
        checkpoint = _reader(file, origin)(file, origin)
    check_form(checkpoint, origin)
    return tidy(checkpoint)


def _place(origin: str) -> str:
    """Return an address, of published weights too, or an absolute path."""
    address = address_of(origin)
    if is_address(address):
        return address
    if '://' in origin:
        raise InputError(f'{origin}: expected a file or an address with http:// or https://')
    if '\0' in origin:
        raise InputError(f'{origin!r} is not a path: it contains a null character')
    return os.path.abspath(os.path.expanduser(origin))


def _open(place: str, origin: str) -> Opened:
    if is_address(place):
        place = str(fetch(place))
        origin = f'{origin} (kept as {place})'
    checkpoint = read_checkpoint(place, origin)
    tensors = _state_dict(checkpoint, origin)
    meta = _plain(checkpoint.get('meta'), _META_DEPTH)
    meta = meta if isinstance(meta, dict) else {}
    # Without this key, mmengine takes a file for a bare state dict.
    others = {} if any(isinstance(value, Tensor) for value in checkpoint.values()) else checkpoint
    whole = checkpoint if 'state_dict' in checkpoint else {**others, 'state_dict': tensors, 'meta': meta}
    return Opened(tensors, meta, whole, origin)


def _reader(file: BinaryIO, origin: str) -> Reader:
    start = file.read(16)
    file.seek(0)
    if not start:
        raise InputError(f'{origin} is empty; expected {KINDS}')
    if start.startswith(_H5_START):
        return read_h5
    if start.startswith(ZIP_START):
        with open_archive(file, origin) as archive:
            is_keras = MEMBER in archive.namelist()
        file.seek(0)
        return read_keras_archive if is_keras else read_torch
    if start.startswith(_PICKLE_START):
        return read_torch
    # Eight bytes with the length of the header, then the header, which is JSON.
    if start[8:9] == b'{':
        return read_safetensors
    raise InputError(f'{origin} is not {KINDS}: it starts with {start!r}')


def _state_dict(checkpoint: dict[str, Any], origin: str) -> dict[str, Tensor]:
    inner = find_state_dict(checkpoint)[1]
    for name, value in inner.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            kind = type(value).__name__
            raise InputError(f'{origin} is not a state dict: expected tensors, got type {kind} for {str(name)[:60]!r}')
    # Not the tensor's own method, which a file may have replaced by an attribute of the tensor.
    return {name: Tensor.detach(value) for name, value in inner.items()}


def _plain(value: Any, depth: int) -> Any:
    """Return ``value`` without objects, and without anything more than ``depth`` containers deep."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth and isinstance(value, dict):
        items = {key: _plain(item, depth - 1) for key, item in value.items() if isinstance(key, (str, int))}
        return {key: item for key, item in items.items() if item is not _OMITTED}
    if depth and isinstance(value, (list, tuple)):
        kept = [item for item in (_plain(item, depth - 1) for item in value) if item is not _OMITTED]
        return tuple(kept) if isinstance(value, tuple) else kept
    return _OMITTED
