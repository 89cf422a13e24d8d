"""What a file of ``torch.save`` may hold, checked before and after it is read."""

from __future__ import annotations

import io
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.pickle_scan import MAX_VALUES, ExcessiveError, scan_pickle

# Of all that torch's restricted unpickler allows, the part that state dicts, optimizers and schedulers are made of.
# The rest, tensor classes and subclasses above all, allocates what a file asks for or runs their constructors.
PLAIN_GLOBALS = frozenset(
    (
        *('collections.OrderedDict', 'collections.Counter', 'builtins.set', 'builtins.complex', '_codecs.encode'),
        *('torch.Size', 'torch.device', 'torch.nn.parameter.Parameter', 'torch.serialization._get_layout'),
        *(f'torch._utils._rebuild_{kind}' for kind in ('tensor', 'tensor_v2', 'tensor_v3', 'parameter', 'qtensor')),
        *(f'torch._utils._rebuild_{kind}' for kind in ('parameter_with_state', 'sparse_tensor')),
        *('torch._utils._rebuild_meta_tensor_no_storage', 'torch._utils._rebuild_device_tensor_from_cpu_tensor'),
        *(f'{kind.__module__}.{kind.__name__}' for kind in torch._storage_classes),
        *(f'torch.{name}' for name, value in vars(torch).items() if isinstance(value, (torch.dtype, torch.qscheme))),
    )
)

_ZIP = b'PK\x03\x04'
_PICKLES_OF_OLD_FORMAT = 5
_MAX_DEPTH = 64
_LEAVES = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.layout)
_CONTAINERS = (dict, list, tuple, set)


def is_archive(path: Path) -> bool:
    """Tell torch's zip format from its older one as torch does, by the first bytes alone."""
    with path.open('rb') as file:
        return file.read(len(_ZIP)) == _ZIP


def check_archive(path: Path) -> None:
    """Refuse a zip archive that would become larger than it is; torch stores what it saves and compresses nothing.

    Raises:
        InputError: If it is of TorchScript, or members are compressed, overlap or bear the same name.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    # torch looks for members in any case.
    names = {member.filename.lower() for member in members}
    if any(name.endswith('/constants.pkl') for name in names):
        raise InputError(
            f'{path} is a TorchScript archive, but a state dict was expected; save the state dict of the model'
        )
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
        raise InputError(f'{path} was not opened: it is compressed or encrypted, which files of torch.save never are')
    if sum(member.file_size for member in members) > path.stat().st_size:
        raise InputError(f'{path} was not opened: its members claim to be larger than the file')
    if len(names) < len(members):
        raise InputError(f'{path} was not opened: several of its members bear the same name')


def check_pickles(path: Path, others: Iterable[str] = ()) -> None:
    """Refuse what is no state dict before any of it is built.

    Args:
        path: A file of ``torch.save``, in its zip or its older format.
        others: Names of classes and functions to let pass beside those of :data:`PLAIN_GLOBALS`.

    Raises:
        InputError: If a pickle in it names any other class or function, or never comes to an end.
        ValueError: If it is damaged.
    """
    allowed = PLAIN_GLOBALS.union(others)
    for name in _names(path):
        if name not in allowed:
            raise InputError(
                f'{path} was not opened: it needs {_printable(name)}, which is more than tensors and plain '
                'containers, and nothing in it was run; if it is yours, save the state dict alone'
            )


def _names(path: Path) -> Iterator[str]:
    try:
        if is_archive(path):
            with zipfile.ZipFile(path) as archive:
                for member in archive.namelist():
                    if member.lower().endswith('.pkl'):
                        yield from scan_pickle(io.BytesIO(archive.read(member)))
        else:
            with path.open('rb') as file:
                yield from _names_in_old_format(file)
    except ExcessiveError as error:
        raise InputError(f'{path} was not opened: its pickle has {error}, which no checkpoint has') from error


def _names_in_old_format(file: BinaryIO) -> Iterator[str]:
    for _ in range(_PICKLES_OF_OLD_FORMAT):
        yield from scan_pickle(file)


def _printable(name: str) -> str:
    return ''.join(character if character.isprintable() else '?' for character in name[:80])


def check_content(path: Path, content: Any, known: type) -> None:
    """Refuse content that later steps could not go through, or whose tensors claim more than the file holds.

    Args:
        path: The file, which is also the measure: no tensor is larger.
        content: What was read.
        known: A class whose objects may be in it.

    Raises:
        InputError: If containers hold themselves or too many others, or what is in them is neither plain nor a tensor.
    """
    try:
        _count(content, {}, 0, known, path.stat().st_size)
    except ValueError as error:
        raise InputError(f'{path} was not opened: {error}') from error


def _count(value: Any, counted: dict[int, int | None], depth: int, known: type, held: int) -> int:
    """Return the number of values in ``value``, shared ones counted each time; ``counted`` knows those in work."""
    if isinstance(value, Tensor):
        _check_tensor(value, held)
        return 1
    if isinstance(value, (*_LEAVES, known)):
        return 1
    if not isinstance(value, _CONTAINERS):
        raise ValueError(f'it holds a {type(value).__name__}, but tensors and plain containers were expected')
    if id(value) not in counted:
        counted[id(value)] = None
        if depth == _MAX_DEPTH:
            raise ValueError(f'its containers are nested more than {_MAX_DEPTH} deep')
        if isinstance(value, OrderedDict) and vars(value).keys() - {'_metadata'}:
            raise ValueError(f'it sets attributes of a dict: {", ".join(map(str, list(vars(value))[:3]))[:80]}')
        counted[id(value)] = 1 + sum(_count(part, counted, depth + 1, known, held) for part in _parts(value))
    total = counted[id(value)]
    if total is None:
        raise ValueError('one of its containers holds itself')
    if total > MAX_VALUES:
        raise ValueError(f'it expands to more than {MAX_VALUES:,} values')
    return total


def _parts(container: Any) -> Iterable[Any]:
    if not isinstance(container, dict):
        return container
    attributes = vars(container) if isinstance(container, OrderedDict) else {}
    return chain(container, container.values(), attributes.values())


def _check_tensor(tensor: Tensor, held: int) -> None:
    if tensor.layout != torch.strided or tensor.is_meta:
        return
    if vars(tensor):
        raise ValueError(f'it sets attributes of a tensor: {", ".join(map(str, list(vars(tensor))[:3]))[:80]}')
    stored, claimed = tensor.untyped_storage().nbytes(), tensor.numel() * tensor.element_size()
    if claimed > stored or stored > held:
        raise ValueError(f'it claims a tensor of {max(claimed, stored):,} bytes, but holds less')
