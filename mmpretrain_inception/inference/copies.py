"""Sorting images into folders of classes."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_path
from mmpretrain_inception.utils.wording import printable

# For images of which no class reaches the threshold.
UNSURE = '_unsure'
# Separators of folders, here and on Windows, what Windows forbids, and control characters.
_FORBIDDEN = re.compile(r'[/\\:*?"<>|\x00-\x1f\x7f]')
# A name may have 255 bytes; some are left for a number.
_LONGEST = 200
_PART = 2**20


def copy_to(folder: Path, label: str, name: str, content: bytes | None = None) -> Path:
    """Copy an image into the folder of its class. Nothing is overwritten, and nothing is written elsewhere.

    Args:
        folder: Holds the folders of the classes.
        label: Name of the class. Characters that would lead elsewhere become ``_``.
        name: The file, whose last part is the name of the copy; it gets a number if another image has it already.
        content: The content of an image that is no file of its own. Defaults to None: it is read from ``name``.

    Returns:
        The copy. An equal one that is there already is used.

    Raises:
        InputError: If it cannot be written, or the class's folder is a link to somewhere else.
    """
    place = folder / safe_name(label)
    try:
        place.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            raise InputError(f'--copy-to: {printable(place)} is a link; expected a folder, or nothing')
        for target in _candidates(place, safe_name(re.split(r'[/\\]', name)[-1])):
            if not os.path.lexists(target):
                with atomic_path(target) as partial:
                    if content is None:
                        shutil.copyfile(name, partial)
                    else:
                        partial.write_bytes(content)
                return target
            if _is_equal(target, name, content):
                return target
    except OSError as error:
        raise InputError(f'--copy-to: {printable(error.filename or place)}: {error.strerror or error}') from error
    raise AssertionError('there is always another number')


def safe_name(name: str) -> str:
    """Return a name as that of one file in a folder: never empty, hidden or leading elsewhere."""
    cleaned = _FORBIDDEN.sub('_', name).strip() or '_'
    cleaned = f'_{cleaned[1:]}' if cleaned.startswith('.') else cleaned
    encoded = os.fsencode(cleaned)
    if len(encoded) <= _LONGEST:
        return cleaned
    stem, ending = os.path.splitext(cleaned)
    return os.fsencode(stem)[: _LONGEST - 20].decode(errors='ignore') + ending[:20]


def _candidates(place: Path, name: str) -> Iterator[Path]:
    yield place / name
    stem, ending = os.path.splitext(name)
    number = 2
    while True:
        yield place / f'{stem}_{number}{ending}'
        number += 1


def _is_equal(target: Path, name: str, content: bytes | None) -> bool:
    if target.is_symlink() or not target.is_file():
        return False
    size = os.path.getsize(name) if content is None else len(content)
    if target.stat().st_size != size:
        return False
    if content is not None:
        return target.read_bytes() == content
    with open(target, 'rb') as left, open(name, 'rb') as right:
        return all(part == right.read(_PART) for part in iter(lambda: left.read(_PART), b''))
