"""Finding the images in folders."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, NoReturn

from mmpretrain_inception.datasets.file_list import FileList, pack
from mmpretrain_inception.datasets.image_kinds import (
    count_kinds,
    is_hidden,
    is_ignored_folder,
    is_image,
    kind_of,
    name_endings,
)
from mmpretrain_inception.datasets.one_reading import once
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some, printable

# A network file system takes a millisecond or more for each answer, so many threads ask at once.
THREADS = 16
# What to call images that lie beside the folders of the classes.
OUTSIDE = 'images outside of the folders'


class Found(NamedTuple):
    """What a folder holds.

    Attributes:
        paths: The images, sorted, relative to where the search began.
        skipped: Links that were not followed, each with the reason.
        unused: How many other files there are of each kind, by :func:`~image_kinds.kind_of`.
    """

    paths: list[str]
    skipped: list[str]
    unused: Counter[str]


class Listing(NamedTuple):
    """The images of a dataset.

    Attributes:
        files: Their paths, each with the position of the folder that holds it.
        unused: How many other files there are of each kind.
        skipped: Links that were not followed, each with the reason.
    """

    files: FileList
    unused: Counter[str]
    skipped: list[str]


def list_folders(folder: str) -> list[str]:
    """Return the names of the folders in ``folder``, sorted, without hidden ones and the system's.

    Raises:
        InputError: If ``folder`` cannot be read, or holds a link that leads nowhere: a class would be missing, and the
            labels of the others would shift.
    """
    entries = _entries(folder)
    broken = [entry.path for entry in entries if _leads_nowhere(entry)]
    if broken:
        raise InputError(
            f'{list_some(broken)}: expected a folder of images, got a link to {printable(os.readlink(broken[0]))}, '
            'which does not exist; mount the disk or remove the link'
        )
    return sorted(entry.name for entry in entries if not is_ignored_folder(entry.name) and _is_folder(entry))


def count_beside(folder: str) -> Counter[str]:
    """Return how many files of each kind lie in ``folder`` itself, where each class has a folder.

    Images there belong to no class, and are counted as such.

    Raises:
        InputError: If the folder cannot be read.
    """
    names = [entry.name for entry in _entries(folder) if not _is_folder(entry)]
    return Counter(OUTSIDE if is_image(name) else kind_of(name) for name in names)


def list_images(folder: str, names: Sequence[str], extensions: tuple[str, ...]) -> Listing:
    """List the images in some folders of ``folder`` and in all folders within them.

    Args:
        folder: Holds the folders.
        names: Names of the folders; '' means ``folder`` itself.
        extensions: Extensions of image files, in lower case.

    Returns:
        Paths relative to ``folder``, sorted within each name, and what else is there.

    Raises:
        InputError: If a folder cannot be read.
    """
    return once(('images', folder, *names, None, *extensions), partial(_list_images, folder, names, extensions))


def _list_images(folder: str, names: Sequence[str], extensions: tuple[str, ...]) -> Listing:
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(partial(find_images, folder, extensions=tuple(extensions)), names))
    files = pack((number, one.paths) for number, one in enumerate(found))
    unused = sum((one.unused for one in found), Counter())
    return Listing(files, unused, [reason for one in found for reason in one.skipped])


def refuse_none(folder: str, extensions: Sequence[str], unused: Mapping[str, int]) -> NoReturn:
    """Say that a folder holds no images, and what it holds instead.

    Args:
        folder: The folder.
        extensions: Extensions of image files.
        unused: How many other files there are of each kind.

    Raises:
        InputError: Always.
    """
    raise InputError(
        f'{printable(folder)}: expected images ({name_endings(extensions)}), found {count_kinds(unused) or "none"}'
    )


def find_images(folder: str, name: str, extensions: tuple[str, ...]) -> Found:
    """Search ``folder/name`` and all folders within it.

    Everything with an image extension that is not a folder counts as an image. A link to an image that does not exist
    is listed too, so that it is reported like any other file that cannot be decoded. Hidden files are not, and hidden
    folders and the system's are not searched. Links to folders are followed, except to a folder that contains the link.

    Raises:
        InputError: If a folder cannot be read.
    """
    found = Found([], [], Counter())
    # Each folder with the identities of those above it. A stack, because folders may be nested beyond Python's limit.
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(name, frozenset())]
    while pending:
        inside, above = pending.pop()
        path = os.path.join(folder, inside)
        identity = _identity(path)
        if identity in above:
            found.skipped.append(f'{inside} (to a folder above it)')
            continue
        for entry in _entries(path):
            below = f'{inside}/{entry.name}' if inside else entry.name
            if _is_folder(entry):
                pending.extend([] if is_ignored_folder(entry.name) else [(below, above | {identity})])
            elif entry.name.lower().endswith(extensions) and not is_hidden(entry.name):
                found.paths.append(below)
            elif _leads_nowhere(entry):
                found.skipped.append(f'{below} (to nothing)')
            else:
                found.unused[kind_of(entry.name)] += 1
    found.paths.sort()
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise _unreadable(folder, error) from error


def _identity(folder: str) -> tuple[int, int]:
    try:
        status = os.stat(folder)
    except OSError as error:
        raise _unreadable(folder, error) from error
    return status.st_dev, status.st_ino


def _unreadable(folder: str, error: OSError) -> InputError:
    return InputError(f'{printable(folder)}: the folder cannot be read: {error.strerror}')


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # Of a link to itself, `entry.is_dir()` raises.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    # Editors keep hidden links of this kind as locks.
    return entry.is_symlink() and not entry.name.startswith('.') and not os.path.exists(entry.path)
