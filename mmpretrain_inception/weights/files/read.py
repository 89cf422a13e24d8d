"""Read a file of weights without trusting it: its format shows in its first bytes, not in its name."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.form import check_form
from mmpretrain_inception.weights.files.keras_file import read_h5, read_keras_archive
from mmpretrain_inception.weights.files.safetensors_file import read_safetensors
from mmpretrain_inception.weights.files.torch_file import read_torch, read_torch_content, without_objects


class WeightFile(NamedTuple):
    """What a file holds.

    Attributes:
        tensors: The parameters and statistics, by the names in the file, laid out as PyTorch lays them out.
        meta: Plain metadata, e.g. ``epoch`` and ``dataset_meta`` of mmengine's checkpoints.
    """

    tensors: dict[str, Tensor]
    meta: dict[str, Any]


Reader = Callable[[Path], tuple[dict[str, Tensor], dict[str, Any]]]

KINDS = 'a PyTorch (.pth, .pt), safetensors or Keras (.h5, .weights.h5, .keras) file'
_H5 = b'\x89HDF\r\n\x1a\n'
_ZIP = b'PK\x03\x04'
# torch.save's format before torch 1.6: a bare pickle of protocol 2 or later.
_PICKLE = b'\x80'
# What mmengine fills with a state dict, whose subclass it has to keep, or with tensors by the hundred.
_TENSORS_ONLY = ('state_dict', 'ema_state_dict', 'optimizer')
_KERAS_MEMBER = 'model.weights.h5'


def read_weights(path: str | Path) -> WeightFile:
    """Read the tensors of a PyTorch, safetensors or Keras file; nothing in the file is executed.

    Args:
        path: The file. A checkpoint that mmengine's Runner wrote gives its ``state_dict`` and plain metadata.

    Raises:
        InputError: If there is no such file, or it is damaged, of another kind, or a pickle of more than tensors and
            plain containers.
    """
    path = Path(path)
    return WeightFile(*_reader(path, _first_bytes(path))(path))


def read_checkpoint(path: Path, map_location: Any = 'cpu') -> dict[str, Any]:
    """Read a whole checkpoint, of any format, into the form that mmengine expects.

    Args:
        path: The file.
        map_location: As in ``torch.load``. Defaults to the CPU.

    Returns:
        The content of a file of ``torch.save``, optimizer and all, without the objects of mmengine's message hub; of
        other formats ``state_dict`` and ``meta``. ``meta.config`` is left out: mmengine would execute it.

    Raises:
        InputError: As :func:`read_weights`.
    """
    reader = _reader(path, _first_bytes(path))
    if reader is not read_torch:
        tensors, meta = reader(path)
        return dict(state_dict=tensors, meta=meta)
    content = read_torch_content(path, map_location)
    check_form(path, content)
    plain = {key: value if key in _TENSORS_ONLY else without_objects(value) for key, value in content.items()}
    if isinstance(plain.get('message_hub'), dict):
        _forget_absent_keys(plain['message_hub'])
    if isinstance(plain.get('meta'), dict):
        # mmengine 0.10.7 executes this text as a config when a run is resumed; it writes its own under `cfg`.
        plain['meta'].pop('config', None)
    if 'state_dict' not in plain and isinstance(plain.get('model'), dict):
        # torchvision's training script.
        plain['state_dict'] = plain['model']
    return plain


def class_names(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the classes in the metadata of a file, in the order of a model's outputs; () without any.

    Args:
        meta: As in :class:`WeightFile`; its form is the file's affair.
    """
    dataset_meta = meta.get('dataset_meta')
    names = dataset_meta.get('classes') if isinstance(dataset_meta, dict) else None
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        return ()
    return tuple(names)


def _forget_absent_keys(hub: dict[str, Any]) -> None:
    """Remove from ``resumed_keys`` what was left out with the objects; mmengine would warn of each."""
    parts = {part: hub.get(part) or {} for part in ('log_scalars', 'runtime_info', 'resumed_keys')}
    known = {*parts['log_scalars'], *parts['runtime_info']}
    parts['resumed_keys'] = {key: value for key, value in parts['resumed_keys'].items() if key in known}
    hub.update(parts)


def _first_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f'{path} is a folder, but {KINDS} was expected')
    try:
        with path.open('rb') as file:
            return file.read(16)
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error


def _reader(path: Path, start: bytes) -> Reader:
    if not start:
        raise InputError(f'{path} is empty, but {KINDS} was expected')
    if start.startswith(_H5):
        return read_h5
    if start.startswith(_ZIP):
        return _archive_reader(path)
    if start.startswith(_PICKLE):
        return read_torch
    # Eight bytes with the length of the header, then the header, which is JSON.
    if start[8:9] == b'{':
        return read_safetensors
    raise InputError(f'{path} is not {KINDS}: it starts with {start!r}')


def _archive_reader(path: Path) -> Reader:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f'{path} is damaged or was cut short ({error}); download or copy it again') from error
    if _KERAS_MEMBER in names:
        return read_keras_archive
    if any(name.endswith('data.pkl') for name in names):
        return read_torch
    raise InputError(f'{path} is a zip archive without weights, but {KINDS} was expected')
