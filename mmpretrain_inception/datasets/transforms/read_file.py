"""Reading image files whole, unless they are no files or too large."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Any

import requests
from mmengine import fileio
from mmengine.fileio import LocalBackend

from mmpretrain_inception.utils.addresses import is_address

# A pixel of a PNG or TIFF file takes at most four channels of 16 bits, uncompressed.
_BYTES_PER_PIXEL = 8
# For what a file holds besides its pixels: EXIF with a thumbnail, colour profiles, texts.
_BYTES_BESIDES = 2**26
# Seconds until a server has to answer, that it may be silent, and that a download may take; bytes read at once.
_CONNECT, _SILENCE, _LONGEST, _PART = 10.0, 30.0, 90.0, 2**16
# Opening a named pipe would wait for a writer.
_FLAGS = os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_BINARY', 0)


def read_file(path: str, backend_args: dict[str, Any] | None, max_pixels: int) -> bytes:
    """Read an image file.

    Args:
        path: The file, or an address that a file backend of mmengine reads.
        backend_args: Settings of that file backend. Defaults to None: chosen by the path.
        max_pixels: Largest number of pixels. A local file that is larger than any such image is not read.

    Returns:
        The content.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is a device, pipe or socket, or too large.
    """
    if backend_args is None and is_address(path):
        return _read_address(path, largest_file(max_pixels))
    backend = fileio.get_file_backend(path, backend_args=backend_args, enable_singleton=True)
    if not isinstance(backend, LocalBackend):
        return backend.get(path)
    # The size is asked of the open file, so that it is that of what is read.
    with open(_open(path), 'rb') as file:
        status = os.fstat(file.fileno())
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(_NO_FILE)
        limit = largest_file(max_pixels)
        if status.st_size > limit:
            raise ValueError(f'expected at most {limit:,} bytes for {max_pixels:,} pixels, got {status.st_size:,}')
        return file.read(status.st_size)


def largest_file(max_pixels: int) -> int:
    """Return how many bytes the file of an image may have.

    Args:
        max_pixels: Largest number of its pixels.
    """
    return max_pixels * _BYTES_PER_PIXEL + _BYTES_BESIDES


def _read_address(address: str, limit: int) -> bytes:
    """Download an image; mmengine's backend has no time limit and no size limit."""
    started = time.monotonic()
    try:
        with requests.get(address, stream=True, timeout=(_CONNECT, _SILENCE)) as answer:
            if not answer.ok:
                raise ValueError(f'the server answers {answer.status_code} {answer.reason}')
            content = bytearray()
            for part in answer.iter_content(_PART):
                content += part
                if len(content) > limit:
                    raise ValueError(f'expected at most {limit:,} bytes, got more')
                if time.monotonic() - started > _LONGEST:
                    raise ValueError(f'the download takes longer than {_LONGEST:g} s')
    except requests.RequestException as error:
        raise ValueError(f'it cannot be downloaded ({type(error).__name__})') from error
    return bytes(content)


_NO_FILE = 'expected a file, got a device, pipe or socket'


def _open(path: str) -> int:
    try:
        return os.open(path, _FLAGS)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise ValueError(_NO_FILE) from error
        raise
