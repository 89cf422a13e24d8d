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
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file that gets its name at the end of the block; an older one of that name stays until then.

    The content is on the disk before the name is. A process that is killed within the block leaves a file of another
    name, which :func:`remove_partial_files` removes.

    Args:
        path: The file. Its folder has to exist.

    Raises:
        InputError: If it cannot be written, because the disk is full for example. Nothing is left behind then.
    """
    path = Path(path)
    partial = path.with_name(_PARTIAL.format(name=path.name, process=os.getpid()))
    try:
        with partial.open('wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        before = '; the older file of that name is as it was' if path.exists() else ''
        raise InputError(f'{path} cannot be written: {error.strerror or error}{before}') from error
    finally:
        partial.unlink(missing_ok=True)


def remove_partial_files(folder: str | Path) -> None:
    """Remove what processes that were killed within :func:`atomic_write` left in a folder."""
    for path in Path(folder).glob(_PARTIAL.format(name='*', process='*')):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    # A new name is on the disk when its folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
