"""Hashes of what files hold, which do not depend on their names or places."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from mmpretrain_inception.datasets.folder_scan import THREADS
from mmpretrain_inception.datasets.hash_cache import KEY_BYTES, cache_file, load_hashes, save_hashes
from mmpretrain_inception.utils.progress import progress

HASH_BITS = 64
_T = TypeVar('_T')
_R = TypeVar('_R')

# The hash of what cannot be read: a broken link, a pipe, a file of no bytes.
UNREADABLE = 2**HASH_BITS - 1

_BLOCK = 2**20
# So many files at a time go to a thread, and more only while their sizes are small.
_CHUNK, _CHUNK_BYTES = 256, 2**24
# Of so many hashes for each file most are of files that are gone.
_KEPT_FOR_A_FILE = 3
# A clock may tick once in two seconds (FAT), so that a file that changed as late may change again at the same time.
_RECENT = 2 * 10**9
# Reading more than this takes seconds, so that progress is shown.
_LONG_FILES, _LONG_BYTES = 20_000, 2**29
_FLAGS = os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_BINARY', 0)


class _State(NamedTuple):
    """What a file looked like before it was read.

    Attributes:
        key: Of path, size, and the times of the last change of content and of anything. Empty: it may change unseen.
        size: In bytes.
    """

    key: bytes
    size: int


def content_hashes(folder: str, paths: Sequence[str]) -> NDArray[np.uint64]:
    """Return a hash of the content of each file: the first 64 bits of BLAKE2b.

    Files are read once. Later calls take the hashes of files whose path, size and times are the same from a file in the
    user's cache folder; nothing is written beside the files. Of processes that start together one reads.

    Args:
        folder: What the paths are relative to.
        paths: The files. Those that cannot be read, or are empty, get :data:`UNREADABLE`.

    Returns:
        uint64 of shape (files,).
    """
    now = time.time_ns()
    parts = _in_threads(
        lambda part: [_state(folder, path, now) for path in part], list(_parts(paths, [0] * len(paths)))
    )
    states = [state for part in parts for state in part]
    cached = cache_file(folder)
    known = load_hashes(cached)
    if all(state.key in known for state in states):
        return np.array([known[state.key] for state in states], np.uint64)
    with _locked(cached):
        known = load_hashes(cached)
        known_before = len(known)
        try:
            return _complete(folder, paths, states, known)
        finally:
            # Also what was read before a Ctrl-C.
            if len(known) > known_before:
                save_hashes(cached, _worth_keeping(known, states))


def _worth_keeping(known: dict[bytes, int], states: list[_State]) -> dict[bytes, int]:
    """Return the hashes without those of files that are gone, once they are many."""
    if len(known) <= _KEPT_FOR_A_FILE * len(states):
        return known
    return {state.key: known[state.key] for state in states if state.key in known}


def _complete(folder: str, paths: Sequence[str], states: list[_State], known: dict[bytes, int]) -> NDArray[np.uint64]:
    """Read the files that are not known, and add to ``known`` those whose changes would be seen."""
    hashes = np.array([known.get(state.key, UNREADABLE) for state in states], np.uint64)
    new = [index for index, state in enumerate(states) if state.key not in known]
    size = sum(states[index].size for index in new)
    shown = len(new) > _LONG_FILES or size > _LONG_BYTES
    parts = list(_parts(new, [states[index].size for index in new]))
    results = _in_threads(lambda part: [_hash(folder, paths[index]) for index in part], parts)
    # Closed, so that Ctrl-C does not wait for the rest.
    with progress('read images, once', size, 'byte', show=shown) as bar, closing(results):
        for part, values in zip(parts, results):
            hashes[part] = values
            read = ((states[index].key, value) for index, value in zip(part, values))
            known.update((key, value) for key, value in read if key and value != UNREADABLE)
            bar.advance(sum(states[index].size for index in part))
    return hashes


def _parts(items: Sequence[_T], sizes: Sequence[int]) -> Iterator[list[_T]]:
    """Yield items in parts of at most :data:`_CHUNK`, which end early where they have many bytes."""
    part: list[_T] = []
    total = 0
    for item, size in zip(items, sizes):
        part.append(item)
        total += size
        if len(part) == _CHUNK or total > _CHUNK_BYTES:
            yield part
            part, total = [], 0
    yield part


def _in_threads(function: Callable[[list[_T]], list[_R]], parts: Sequence[list[_T]]) -> Generator[list[_R], None, None]:
    with ThreadPoolExecutor(THREADS) as pool:
        yield from pool.map(function, parts)


def _state(folder: str, name: str, now: int) -> _State:
    try:
        status = os.stat(os.path.join(folder, name))
    except OSError:
        return _State(b'', 0)
    if max(status.st_mtime_ns, status.st_ctime_ns) > now - _RECENT:
        return _State(b'', status.st_size)
    fields = (os.fsencode(name), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return _State(hashlib.blake2b(repr(fields).encode(), digest_size=KEY_BYTES).digest(), status.st_size)


def _hash(folder: str, name: str) -> int:
    try:
        with open(os.path.join(folder, name), 'rb', buffering=0, opener=lambda path, _: os.open(path, _FLAGS)) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or not status.st_size:
                return UNREADABLE
            digest = hashlib.blake2b(digest_size=HASH_BITS // 8)
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return UNREADABLE
    return int.from_bytes(digest.digest(), 'big')


@contextmanager
def _locked(cached: Path | None) -> Iterator[None]:
    """Let one process read at a time, where files can be locked."""
    lock = None
    with suppress(OSError, NotImplementedError):
        lock = FileLock(cached.with_suffix('.lock')) if cached else None
        if lock:
            lock.acquire()
    try:
        yield
    finally:
        if lock:
            lock.release(force=True)
