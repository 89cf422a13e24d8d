"""Read datasets of an HDF5 file that may be hostile.

HDF5 reads whole chunks, decompresses them without a limit, fills in what was never written, follows links into other
files, and recurses into groups. So the groups are walked here, and each dataset is checked before HDF5 reads it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from mmpretrain_inception.errors import InputError

if TYPE_CHECKING:
    import h5py

# Inception V3 has 24 million numbers in 380 datasets. With a large classifier it may have five times as many.
_MAX_NUMBERS = 2**27
_MAX_OBJECTS = 20_000
_MAX_DEPTH = 16
_MAX_NAME = 1000
_MAX_CHUNKS = 10_000
# A chunk may have as many bytes as its dataset, and never less than this.
_CHUNK_BYTES = 2**22
# Kinds of types: floating-point, signed and unsigned numbers.
_NUMBERS = 'fiu'
_SHUFFLE, _DEFLATE, _FLETCHER32 = 2, 1, 3
# Supported pipelines: each filter at most once, in the order of h5py.
_PIPELINES = {
    tuple(code for code, used in zip((_SHUFFLE, _DEFLATE, _FLETCHER32), choice) if used)
    for choice in product((False, True), repeat=3)
}


def walk(file: h5py.File, origin: str) -> dict[str, h5py.Dataset | h5py.Group]:
    """Return the datasets and groups of a file by their full names, without following links to other places.

    Args:
        file: The file.
        origin: Its name, for messages.

    Raises:
        InputError: If it has more objects, deeper groups or longer names than any file of Keras.
    """
    return dict(_walk(file, '', 0, _Budget(origin), origin))


def check_numbers(datasets: Iterable[h5py.Dataset], origin: str) -> None:
    """Refuse datasets that declare too many numbers for Inception V3.

    Args:
        datasets: All datasets to read.
        origin: The file, for messages.

    Raises:
        InputError: If they declare too many.
    """
    numbers = sum(prod(dataset.shape or ()) for dataset in datasets)
    if numbers > _MAX_NUMBERS:
        raise InputError(f'{origin}: expected about 24 million numbers, as Inception V3 has, got {numbers:,}')


class _Budget:
    """Counts the objects of a file."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.left = _MAX_OBJECTS

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise InputError(f'{self.origin}: expected at most {_MAX_OBJECTS:,} groups and datasets, got more')


def _walk(group: h5py.Group, path: str, depth: int, budget: _Budget, origin: str) -> Iterator[tuple[str, Any]]:
    import h5py

    budget.take(len(group))
    for name in group:
        full = f'{path}{name}'
        if depth == _MAX_DEPTH or len(full) > _MAX_NAME:
            raise InputError(
                f"{origin}: its groups are nested too deep, or their names are too long, for Keras's weights"
            )
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        item = group[name]
        if isinstance(item, (h5py.Dataset, h5py.Group)):
            yield full, item
        if isinstance(item, h5py.Group):
            yield from _walk(item, f'{full}/', depth + 1, budget, origin)


def read_dataset(dataset: h5py.Dataset, origin: str) -> np.ndarray:
    """Read a dataset of numbers that are all in the file itself.

    Args:
        dataset: The dataset.
        origin: The file, for messages.

    Raises:
        InputError: If they are not, or if reading them would take more memory than they have.
    """
    if dataset.external or dataset.is_virtual or dataset.dtype.kind not in _NUMBERS:
        raise InputError(f'{origin}: {dataset.name}: expected numbers in the file itself, got type {dataset.dtype}')
    if dataset.chunks is None:
        if dataset.id.get_storage_size() != dataset.nbytes:
            raise InputError(f'{origin}: {dataset.name} declares {dataset.size} numbers that were never written')
    else:
        _check_chunks(dataset, origin)
    return dataset[()]


def read_attribute(group: h5py.Group, name: str, limit: int = _MAX_NAME) -> str:
    """Return an attribute that is a string; '' if there is none, or if it is something else.

    Args:
        group: The group.
        name: Name of the attribute.
        limit: Largest number of bytes or characters to return. Defaults to 1000.
    """
    if name not in group.attrs:
        return ''
    attribute = group.attrs.get_id(name)
    is_short = attribute.shape == () and attribute.get_storage_size() <= limit
    return str(group.attrs[name])[:limit] if is_short else ''


def _check_chunks(dataset: h5py.Dataset, origin: str) -> None:
    """Refuse chunks that are too large, too many or missing, or that expand to another size than they declare.

    Raises:
        InputError: If there are any.
    """
    expected = prod(-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks))
    size = prod(dataset.chunks) * dataset.dtype.itemsize
    if size > max(dataset.nbytes, _CHUNK_BYTES) or expected > _MAX_CHUNKS:
        raise InputError(
            f'{origin}: {dataset.name} has {dataset.nbytes:,} bytes of numbers in {expected:,} chunks of {size:,}'
        )
    if dataset.id.get_num_chunks() != expected:
        raise InputError(f'{origin}: {dataset.name} declares {dataset.size} numbers that were never written')
    filters = _filters(dataset)
    if filters not in _PIPELINES:
        raise InputError(
            f'{origin}: {dataset.name} uses HDF5 filters {filters}, which are not supported; '
            'rewrite the file with h5repack -f GZIP=1'
        )
    if _DEFLATE in filters:
        for index in range(expected):
            _check_inflated(dataset, index, size, origin)


def _filters(dataset: h5py.Dataset) -> tuple[int, ...]:
    settings = dataset.id.get_create_plist()
    return tuple(settings.get_filter(position)[0] for position in range(settings.get_nfilters()))


def _check_inflated(dataset: h5py.Dataset, index: int, size: int, origin: str) -> None:
    place = dataset.id.get_chunk_info(index).chunk_offset
    skipped, stored = dataset.id.read_direct_chunk(place)
    # HDF5 can skip the filter for a chunk that would not shrink.
    if skipped:
        raise InputError(f'{origin}: {dataset.name} is damaged: it skips filters')
    inflating = zlib.decompressobj()
    if len(inflating.decompress(stored, size + 1)) != size or not inflating.eof:
        raise InputError(f'{origin}: {dataset.name} is damaged: a chunk does not have {size:,} bytes')
