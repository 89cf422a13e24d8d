"""Keeping the list of a folder's files from one start to the next.

A cache is one array of int64 in NumPy's format, which is mapped into memory and shared by all processes. It holds the
number of files, of bytes of names and of bytes of description, a check sum, the table, the names, and the description
in JSON; no pickle, and none is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpretrain_inception.datasets.file_list import FileList
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_write

# Of folders, relative to that of the list: when entries were last added or removed, and when that time was last set.
Times = dict[str, list[int]]
Settings = dict[str, Any]

_HEADER = 4
# Coarser than the clock of any file system: a folder that changed so shortly before it was read may do so again
# without another time.
_UNSETTLED_NS = 2_000_000_000


def times_of(path: str) -> list[int]:
    """Return the times of a folder that tell whether files came or went."""
    status = os.stat(path)
    return [status.st_mtime_ns, status.st_ctime_ns]


def read_cache(cache_dir: str, settings: Settings, pool: Executor) -> FileList | None:
    """Return the list of ``settings`` if it is there, whole, this user's own and of the folders as they are.

    Args:
        cache_dir: Where :func:`write_cache` put it.
        settings: ``folder`` and whatever else the list depends on.
        pool: Threads to ask for the times of all folders.
    """
    path = _path(cache_dir, settings)
    try:
        if hasattr(os, 'getuid') and os.stat(path).st_uid != os.getuid():
            return None
        files, description = _unpack(np.load(path, mmap_mode='r', allow_pickle=False))
        times: Times = description['times']
        folders = (os.path.join(settings['folder'], name) for name in times)
        if description['settings'] != settings or list(pool.map(times_of, folders)) != list(times.values()):
            return None
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        # Not there, or not one of ours: the folder is read, and the file written anew.
        return None
    return files


def write_cache(cache_dir: str, settings: Settings, files: FileList, times: Times, started: int) -> None:
    """Keep a list, unless the folder cannot be written or one of the listed folders has only just changed.

    Args:
        cache_dir: Folder to write to; made if it is missing.
        settings: As in :func:`read_cache`.
        files: The list.
        times: Times of every folder that was read, from before it was.
        started: When the reading began, in nanoseconds since 1970.
    """
    if max(max(pair) for pair in times.values()) > started - _UNSETTLED_NS:
        return
    description = json.dumps(dict(settings=settings, times=times)).encode()
    path = _path(cache_dir, settings)
    with suppress(OSError, InputError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            np.save(file, _pack(files, description), allow_pickle=False)


def _path(cache_dir: str, settings: Settings) -> Path:
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    return Path(cache_dir) / f'{key[:32]}.npy'


def _pack(files: FileList, description: bytes) -> NDArray[np.int64]:
    names, text = _padded(files.names), _padded(np.frombuffer(description, np.uint8))
    body = np.concatenate([files.table.ravel(), names, text])
    header = [len(files.table), len(files.names), len(description), zlib.crc32(body.data)]
    return np.concatenate([np.array(header, np.int64), body])


def _padded(content: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.pad(content, (0, -len(content) % 8)).view(np.int64)


def _unpack(content: NDArray[np.int64]) -> tuple[FileList, dict[str, Any]]:
    if content.dtype != np.int64 or content.ndim != 1:
        raise ValueError('no list of files')
    count, name_bytes, text_bytes, checksum = content[:_HEADER].tolist()
    body = content[_HEADER:]
    if zlib.crc32(body.data) != checksum:
        raise ValueError('damaged')
    table, names, text = np.split(body, [3 * count, 3 * count + -(-name_bytes // 8)])
    description = json.loads(text.view(np.uint8)[:text_bytes].tobytes())
    return FileList(names.view(np.uint8)[:name_bytes], table.reshape(count, 3)), description
