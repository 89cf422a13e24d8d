"""Read files of ``torch.save`` with torch's restricted unpickler."""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, BinaryIO, cast

import torch

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.archive import ZIP_START, open_archive, stored_members
from mmpretrain_inception.weights.files.content import Inert, check_content
from mmpretrain_inception.weights.files.pickle_scan import ExcessiveError, Name, scan_pickle
from mmpretrain_inception.weights.files.rebuilt import RebuiltArchive

# What state dicts, optimizers and schedulers need of everything that torch's restricted unpickler allows. The rest,
# mainly classes of tensors, allocates any size that a file asks for, or runs constructors.
_PLAIN = frozenset(
    (
        *('collections.OrderedDict', 'collections.Counter', 'builtins.set', 'builtins.complex', '_codecs.encode'),
        *('torch.Size', 'torch.device', 'torch.nn.parameter.Parameter'),
        *(f'torch._utils._rebuild_{kind}' for kind in ('tensor', 'tensor_v2', 'tensor_v3', 'parameter')),
        *(f'{kind.__module__}.{kind.__name__}' for kind in torch._storage_classes),
        *(f'torch.{name}' for name, value in vars(torch).items() if isinstance(value, torch.dtype)),
    )
)
# Kinds of tensors that are not weights of this network. torch checks sparse ones and converts those of other devices,
# which can take any time and memory that a file asks for.
_NOT_DENSE = {
    'torch._utils._rebuild_sparse_tensor': 'sparse',
    'torch._utils._rebuild_qtensor': 'quantised',
    'torch._utils._rebuild_nested_tensor': 'nested',
    'torch._utils._rebuild_meta_tensor_no_storage': 'meta (it has a shape but no numbers)',
    'torch._utils._rebuild_device_tensor_from_cpu_tensor': 'XLA or HPU',
    'torch._utils._rebuild_device_tensor_from_numpy': 'XLA or HPU',
}
# Everything that mmengine 0.10.7's Runner puts into its message hub besides tensors and plain containers, with the
# module names of NumPy 2 and 1. All of them, ``getattr`` too, become Inert: no function that a file names is called.
_RUNNER_GLOBALS = (
    'mmengine.logging.history_buffer.HistoryBuffer',
    'builtins.getattr',
    'numpy.ndarray',
    'numpy.dtype',
    *('numpy._core.multiarray._reconstruct', 'numpy._core.multiarray.scalar'),
    *('numpy.core.multiarray._reconstruct', 'numpy.core.multiarray.scalar'),
)
_ALLOWED = _PLAIN.union(_RUNNER_GLOBALS)

_PICKLES_OF_OLD_FORMAT = 5
# Members of an archive of torch.save, in a folder named after the file.
_PICKLE = 'data.pkl'
_MEMBERS = re.compile(r'data\.pkl|data/\d+|byteorder|version|\.format_version|\.storage_alignment|\.data/\w+')
_TORCHSCRIPT = '/constants.pkl'


def read_torch(file: BinaryIO, origin: str) -> dict[Any, Any]:
    """Read everything in a file of ``torch.save``, with :class:`Inert` in place of the Runner's objects.

    Args:
        file: The file, in torch's zip or its older format.
        origin: Its name, for messages.

    Raises:
        InputError: If the file is damaged, needs more than tensors and plain containers, or is not a dict.
    """
    is_zip, held = file.read(len(ZIP_START)) == ZIP_START, file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        content = _read_archive(file, held, origin) if is_zip else _read_old_file(file, origin)
    except InputError:
        raise
    # The restricted unpickler raises anything on a broken pickle.
    except Exception as error:
        raise InputError(_refusal(origin, error)) from error
    check_content(content, held, origin)
    if not isinstance(content, dict):
        raise InputError(f'{origin}: expected a state dict, got a {type(content).__name__}')
    return content


def _read_archive(file: BinaryIO, held: int, origin: str) -> Any:
    with open_archive(file, origin) as archive:
        if any(name.lower().endswith(_TORCHSCRIPT) for name in archive.namelist()):
            raise InputError(f'{origin} is a TorchScript archive; expected a state dict: save model.state_dict()')
        members = stored_members(archive, held, origin)
        folder = next((name.removesuffix(_PICKLE) for name in members if name.endswith(f'/{_PICKLE}')), None)
        if folder is None:
            raise InputError(f'{origin} is a zip archive without weights; expected a file of torch.save')
        pickled = archive.read(folder + _PICKLE)
        _check_pickle(io.BytesIO(pickled), origin)
        parts = [name.removeprefix(folder) for name in members if name.startswith(folder)]
        names = {folder + part: f'archive/{part}' for part in parts if _MEMBERS.fullmatch(part)}
        rebuilt = RebuiltArchive(archive, names, {folder + _PICKLE: pickled})
        try:
            return _load(rebuilt)
        except Exception:
            if rebuilt.damage is not None:
                raise rebuilt.damage from None
            raise


def _read_old_file(file: BinaryIO, origin: str) -> Any:
    # In memory, so that it cannot change between the scan and the unpickler.
    stream = io.BytesIO(file.read())
    for _ in range(_PICKLES_OF_OLD_FORMAT):
        _check_pickle(stream, origin)
    stream.seek(0)
    return _load(stream)


def _load(stream: io.BytesIO | RebuiltArchive) -> Any:
    with _only_inert_objects(), warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about the protocol of the pickle; if it matters, there is an error too
        return torch.load(cast('IO[bytes]', stream), map_location='cpu', weights_only=True)


def _check_pickle(stream: BinaryIO, origin: str) -> None:
    """Refuse a pickle that names anything but tensors and plain containers, or would take too long to build.

    Raises:
        InputError: If it does. The message says what it names.
        ValueError: If it is damaged.
    """
    try:
        for found in scan_pickle(stream):
            if found.name not in _ALLOWED:
                raise InputError(_forbidden(found, origin))
    except ExcessiveError as error:
        raise InputError(f'{origin} was not opened: its pickle has {error}, unlike any checkpoint') from error


def _forbidden(found: Name, origin: str) -> str:
    if found.name in _NOT_DENSE:
        key = _printable(found.key) or 'a value'
        return f'{origin}: expected dense tensors of numbers, but {key} is {_NOT_DENSE[found.name]}'
    return (
        f'{origin} was not opened: it needs {_printable(found.name)}, which is more than tensors and plain containers. '
        'Nothing in it was executed. If it is your file, save only the state dict'
    )


def _printable(name: str) -> str:
    return ''.join(character if character.isprintable() else '?' for character in name[:80])


@contextmanager
def _only_inert_objects() -> Iterator[None]:
    # Classes that the process has allowed elsewhere would be built, so they are set aside while reading.
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([(Inert, name) for name in _RUNNER_GLOBALS])
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(allowed)


def _refusal(origin: str, error: Exception) -> str:
    text = ' '.join(str(error).split())
    operand = re.search(r'Unsupported operand (\d+)|Unsupported class|persistent_load|unrecognized function', text)
    if operand:
        return f'{origin} was not opened: its pickle uses more than torch.save writes for a state dict ({operand[0]})'
    return f'{origin} is damaged, truncated, or not a file of torch.save ({text[:160]})'
