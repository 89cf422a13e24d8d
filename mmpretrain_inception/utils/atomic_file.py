"""Files that are whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mmpretrain_inception.errors import InputError

# No pattern for checkpoints or weights finds these names.
_PARTIAL = '.{name}.{process}.part'


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a name for a file to write within the block, at whose end it gets its own; an older one stays until then.

    The content is on the disk before its name is. A process that is killed within the block leaves a file of another
    name, which :func:`remove_partial_files` removes.

    Args:
        path: The file. Its folder has to exist.

    Raises:
        InputError: If it cannot be written, because the disk is full for example. Nothing is left behind then.
    """
    path = Path(path)
    partial = path.with_name(_PARTIAL.format(name=path.name, process=os.getpid()))
    try:
        yield partial
        _sync(partial)
        os.replace(partial, path)
        _sync(path.parent)
    except OSError as error:
        before = '; the older file of that name is as it was' if path.exists() else ''
        raise InputError(f'{path} cannot be written: {error.strerror or error}{before}') from error
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write within the block; it is there whole or not at all, as by :func:`atomic_path`.

    Args:
        path: The file. Its folder has to exist.

    Raises:
        InputError: If it cannot be written.
    """
    with atomic_path(path) as partial, partial.open('wb') as file:
        yield file


def remove_partial_files(folder: str | Path) -> None:
    """Remove what processes that were killed within :func:`atomic_path` left in a folder."""
    for path in Path(folder).glob(_PARTIAL.format(name='*', process='*')):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
