"""Listing the images of a folder with one folder a class."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from mmpretrain_inception.datasets.file_list import FileList, pack
from mmpretrain_inception.datasets.file_list_cache import Times, read_cache, times_of, write_cache

# File systems are asked by many at once: each answer of one on a network takes a millisecond or more.
THREADS = 16


class _Found(NamedTuple):
    paths: list[str]
    times: Times


def list_images(
    folder: str, classes: Sequence[str], extensions: tuple[str, ...], cache_dir: str | None = None
) -> FileList:
    """List the images in the folders of some classes and in the folders within them.

    Args:
        folder: Holds a folder for each of ``classes``.
        classes: Names of folders.
        extensions: Endings of image files, in lower case.
        cache_dir: Folder where the list is kept and, unless a folder has changed since, read from. Defaults to None:
            the folders are read.

    Returns:
        Paths relative to ``folder``, sorted within each class; the number of each is the position of its class.
    """
    settings = dict(folder=os.path.abspath(folder), classes=list(classes), extensions=sorted(extensions))
    with ThreadPoolExecutor(THREADS) as pool:
        if cache_dir is not None and (cached := read_cache(cache_dir, settings, pool)) is not None:
            return cached
        started = time.time_ns()
        times = {'': times_of(folder)}
        found = list(pool.map(partial(_list_class, folder, extensions), classes))
    files = pack((number, one.paths) for number, one in enumerate(found))
    if cache_dir is not None:
        for one in found:
            times.update(one.times)
        write_cache(cache_dir, settings, files, times, started)
    return files


def _list_class(folder: str, extensions: tuple[str, ...], name: str) -> _Found:
    times: Times = {}
    return _Found(sorted(_walk(folder, name, extensions, times)), times)


def _walk(folder: str, name: str, extensions: tuple[str, ...], times: Times) -> Iterator[str]:
    """Yield the images under ``folder/name``; what mmengine's backend of local files lists, in as few calls."""
    path = os.path.join(folder, name)
    # Before its entries, so that what comes while they are read makes the time another one.
    times[name] = times_of(path)
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.startswith('.') and entry.is_file():
                if entry.name.lower().endswith(extensions):
                    yield f'{name}/{entry.name}'
            elif entry.is_dir():
                yield from _walk(folder, f'{name}/{entry.name}', extensions, times)
