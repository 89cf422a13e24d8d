"""Files that are complete or not there."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from mmpretrain_inception.errors import InputError

# Names of unfinished files and folders end in the machine and the process that write them. No pattern for checkpoints
# or weights finds them.
_PARTIAL = '.{name}.{machine}-{process}.part'
_WRITER = re.compile(r'\..*\.((?P<machine>[0-9a-f]{8})-)?(?P<process>\d+)\.part')
# A name may have 255 bytes.
_MAX_NAME = 200
# Seconds after which an unfinished file of another machine, where nobody can look for the process, has no writer.
_ABANDONED = 24 * 3600.0


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path to write to within the block, and rename it to ``path`` at the end.

    An older file stays until then. The content reaches the disk before the name does. A process that is killed within
    the block leaves a file of another name, which :func:`remove_partial_files` removes.

    Args:
        path: The file. Its folder must exist.

    Raises:
        InputError: If it cannot be written, for example because the disk is full. Nothing is left behind then.
    """
    path = Path(path)
    partial = partial_path(path)
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
        sync(path.parent)
    except OSError as error:
        before = '; the older file is unchanged' if path.exists() else ''
        raise InputError(f'{path} cannot be written: {error.strerror or error}{before}') from error
    finally:
        with suppress(FileNotFoundError, NotADirectoryError):
            partial.unlink()


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write within the block; it appears complete or not at all, as by :func:`atomic_path`.

    Args:
        path: The file. Its folder must exist.

    Raises:
        InputError: If it cannot be written.
    """
    with atomic_path(path) as partial, partial.open('wb') as file:
        yield file


def partial_path(path: Path) -> Path:
    """Return the name under which this process writes a file or folder until it is complete.

    Args:
        path: Its final name.
    """
    name = os.fsdecode(os.fsencode(path.name)[:_MAX_NAME])
    return path.with_name(_PARTIAL.format(name=name, machine=_machine(), process=os.getpid()))


def partial_files(folder: str | Path) -> list[Path]:
    """Return the unfinished files and folders in a folder whose writers are dead.

    Those of living processes are not among them. A process on another machine, or in another container, is taken for
    dead once its file has not changed for a day.

    Args:
        folder: The folder.
    """
    return [path for path in Path(folder).glob('.*.part') if _is_abandoned(path)]


def remove_partial_files(folder: str | Path) -> None:
    """Remove the files that killed processes left unfinished in a folder by :func:`atomic_path`.

    Args:
        folder: The folder.
    """
    for path in partial_files(folder):
        if not path.is_dir():
            path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk.

    Args:
        path: The file or folder.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_abandoned(path: Path) -> bool:
    writer = _WRITER.fullmatch(path.name)
    if writer is None:
        return False
    if writer['machine'] == _machine():
        return not _is_running(int(writer['process']))
    try:
        return time.time() - path.stat().st_mtime > _ABANDONED
    except OSError:
        return False


def _is_running(process: int) -> bool:
    if os.name != 'posix':
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


@cache
def _machine() -> str:
    """Return digits that are the same for all processes that can see each other, and different elsewhere.

    Containers on one machine number their processes independently, and may have the same host name.
    """
    parts = [socket.gethostname()]
    for read in (lambda: Path('/proc/sys/kernel/random/boot_id').read_text(), lambda: os.readlink('/proc/self/ns/pid')):
        try:
            parts.append(read())
        except OSError:
            continue
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:8]
