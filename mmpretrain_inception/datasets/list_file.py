"""Reading text files that list images or classes."""

from __future__ import annotations

import os
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from typing import Any

from mmengine import fileio

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import printable


def read_lines(path: str, backend_args: dict[str, Any] | None = None) -> Iterator[tuple[int, str]]:
    """Read the lines of a list that are not blank.

    A byte-order mark, the line ends of Windows, and white space around a line are removed. Names are in the encoding of
    the file system: bytes that are not UTF-8 come back as Python has them in file names.

    Args:
        path: The file, or an address that a file backend of mmengine reads.
        backend_args: Settings of that file backend. Defaults to None: chosen by the path.

    Yields:
        The number of each line, counted from 1, with its text.

    Raises:
        InputError: If the file cannot be read or is not a text file of this kind.
    """
    content = _read(path, backend_args)
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise InputError(f'{printable(path)} cannot be read: expected UTF-8 text, got UTF-16; save it as UTF-8')
    for number, line in enumerate(content.removeprefix(BOM_UTF8).split(b'\n'), 1):
        text = line.strip()
        if b'\0' in text or b'\r' in text:
            wrong = 'a carriage return within the line' if b'\r' in text else 'a zero byte'
            raise InputError(f'{printable(path)}: line {number}: expected text, got {wrong}; save the file as UTF-8')
        if text:
            yield number, os.fsdecode(text)


def _read(path: str, backend_args: dict[str, Any] | None) -> bytes:
    try:
        return fileio.get(os.path.expanduser(path), backend_args=backend_args)
    except OSError as error:
        raise InputError(f'{printable(path)} cannot be read: {error.strerror or error}') from error
