"""Lists of files that take little memory and that processes share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class FileList(NamedTuple):
    """Paths, each with a number, in two arrays.

    Forked workers share the memory of arrays. Python objects they would copy, because counting a reference writes to
    the object.

    Attributes:
        names: The paths, one after another, as the bytes the file system has for them; uint8 of shape (bytes,).
        table: For each path its start and end in ``names``, and its number; int64 of shape (files, 3).
    """

    names: NDArray[np.uint8]
    table: NDArray[np.int64]


def pack(groups: Iterable[tuple[int, Sequence[str]]]) -> FileList:
    """Put paths into a list.

    Args:
        groups: Numbers, each with the paths that have it, in order.
    """
    packed = [(number, [os.fsencode(path) for path in paths]) for number, paths in groups]
    names = np.frombuffer(b''.join(path for _, paths in packed for path in paths), np.uint8)
    lengths = np.fromiter((len(path) for _, paths in packed for path in paths), np.int64)
    ends = np.cumsum(lengths)
    numbers = np.repeat(
        np.array([number for number, _ in packed], np.int64), np.array([len(paths) for _, paths in packed], np.int64)
    )
    return FileList(names, np.stack([ends - lengths, ends, numbers], axis=1))


def path_at(files: FileList, index: int) -> str:
    """Return one path."""
    start, end, _ = files.table[index].tolist()
    return os.fsdecode(files.names[start:end].tobytes())
