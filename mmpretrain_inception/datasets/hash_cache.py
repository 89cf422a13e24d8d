"""Hashes of files that earlier runs have read, in the user's cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
from platformdirs import user_cache_dir

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_write

KEY_BYTES = 16
_RECORD = np.dtype([('key', f'V{KEY_BYTES}'), ('hash', '<u8')])
# Another number when keys or hashes are made in another way.
_START = b'mmpretrain_inception hashes 1\n'
_CHECK_BYTES = 16


def cache_file(folder: str) -> Path | None:
    """Return where the hashes of the files in a folder are kept; None if nothing can be written there.

    Args:
        folder: The folder.
    """
    name = hashlib.blake2b(os.fsencode(os.path.realpath(folder)), digest_size=KEY_BYTES).hexdigest()
    place = Path(user_cache_dir('mmpretrain_inception', appauthor=False)) / 'hashes'
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return place / f'{name}.bin' if os.access(place, os.W_OK) else None


def load_hashes(cached: Path | None) -> dict[bytes, int]:
    """Return what is kept; nothing if there is no such file, or it is damaged.

    Args:
        cached: What :func:`cache_file` returned.

    Returns:
        Hashes by the keys of the files.
    """
    content = b''
    if cached is not None:
        with suppress(OSError):
            content = cached.read_bytes()
    head, body = content[: len(_START) + _CHECK_BYTES], content[len(_START) + _CHECK_BYTES :]
    if head != _START + _check(body) or len(body) % _RECORD.itemsize:
        return {}
    records = np.frombuffer(body, _RECORD)
    return dict(zip(records['key'].tolist(), records['hash'].tolist()))


def save_hashes(cached: Path | None, hashes: Mapping[bytes, int]) -> None:
    """Keep hashes in the place of those of before. A disk that is full, or may not be written, is no error.

    Args:
        cached: What :func:`cache_file` returned.
        hashes: Hashes by the keys of the files.
    """
    records = np.empty(len(hashes), _RECORD)
    records['key'] = np.frombuffer(b''.join(hashes), f'V{KEY_BYTES}')
    records['hash'] = np.fromiter(hashes.values(), np.uint64, len(hashes))
    body = records.tobytes()
    if cached is not None:
        with suppress(InputError, OSError), atomic_write(cached) as file:
            file.write(_START + _check(body) + body)


def _check(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES).digest()
