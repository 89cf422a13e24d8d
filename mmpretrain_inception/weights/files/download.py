"""Download weights. They get their final name in torch's cache only when they are complete and checked."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlparse

import requests
import torch
from filelock import FileLock
from pooch import HTTPDownloader

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_path, remove_partial_files
from mmpretrain_inception.weights.files.hugging_face import download_from_hub, is_on_hub
from mmpretrain_inception.weights.files.transfer import (
    Meter,
    StalledError,
    TransferError,
    announce,
    failure,
    not_kept,
    shortened,
    verify,
    watch,
)
from mmpretrain_inception.weights.metafile import checksum_of, described

# As in torch.hub and OpenMMLab's model zoo: the first digits of the sha256, before the suffix.
_HASH = re.compile(r'-([a-f0-9]{8,64})\.')

# Seconds to wait for a connection, and for the next bytes.
TIMEOUT = (10.0, 30.0)
ATTEMPTS = 3
_PAUSE = 1.0
_BLOCK = 2**16
# Answers that may differ at the next attempt: too many requests, and errors of the server.
_TEMPORARY = {429, 500, 502, 503, 504}
_CUT_SHORT = 'the connection ended before the file was complete'


def download(address: str, check: Callable[[Path], object]) -> Path:
    """Return the local copy of a file on the web. It is downloaded the first time.

    Files on Hugging Face are kept in its cache, others in torch's. If several processes need the same file, one
    downloads it and the others wait.

    Args:
        address: An ``http://`` or ``https://`` address. If the table of published weights has a checksum for it, or if
            its file name ends in digits of a sha256, as in ``name-0cc3c7bd.pth``, the file must have that.
        check: Raises ``InputError`` if a file does not contain weights. Used if there is no checksum.

    Raises:
        InputError: If the download fails, stalls, is incomplete or too large, has another checksum, or does not contain
            weights. Nothing of it is kept.
    """
    origin, checksum = described(address), checksum_of(address)
    if is_on_hub(address):
        return download_from_hub(address, origin, checksum, check)
    try:
        target = _cached(address)
    except ValueError as error:
        raise InputError(f'{address} cannot be downloaded: {error}') from error
    digits = _HASH.search(target.name)
    checksum = checksum or (f'sha256:{digits[1]}' if digits else '')
    try:
        if not target.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(target.with_name(f'.{target.name}.lock')):
                if not target.is_file():
                    remove_partial_files(target.parent)
                    announce(origin, target.parent)
                    with atomic_path(target) as unfinished:
                        _fetch_patiently(address, unfinished)
                        verify(unfinished, checksum) if checksum else check(unfinished)
        elif checksum:
            _verify_kept(target, checksum)
    except TransferError as error:
        raise failure(origin, error, f'put it into {target.parent} (TORCH_HOME)') from error
    except OSError as error:
        raise not_kept(origin, target, error, 'TORCH_HOME') from error
    return target


def _cached(address: str) -> Path:
    """Return where torch.hub keeps a file; if its name has no hash, in a separate folder.

    Files at several addresses may have the same name.
    """
    # A name may have 255 bytes, and the lock and the partial file add to it.
    name = Path(urlparse(address).path).name[-100:] or 'weights'
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    return folder / name if _HASH.search(name) else folder / hashlib.sha256(address.encode()).hexdigest()[:16] / name


def _verify_kept(target: Path, checksum: str) -> None:
    try:
        verify(target, checksum)
    except TransferError as error:
        raise InputError(f'{target}: {error}\ndelete it, and it is downloaded again') from error


def _fetch_patiently(address: str, path: Path) -> None:
    """Download to a file, with several attempts if necessary."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            # A thread that was given up may still hold the file of an earlier attempt.
            path.unlink(missing_ok=True)
            with path.open('wb') as file:
                watch(lambda meter: _fetch(address, file, meter), Path(urlparse(address).path).name)
            return
        except StalledError as error:
            if attempt == ATTEMPTS:
                raise TransferError(f'{error} ({ATTEMPTS} attempts)') from error
            time.sleep(_PAUSE * attempt)


class _Counted:
    """A file that counts what is written."""

    def __init__(self, file: BinaryIO, meter: Meter) -> None:
        self._file, self._meter = file, meter

    def write(self, block: bytes) -> None:
        self._meter.add(len(block))
        self._file.write(block)

    def flush(self) -> None:
        """Do nothing: pooch flushes after each block."""


def _fetch(address: str, file: BinaryIO, meter: Meter) -> None:
    """Write the answer of a server to a file."""
    get = HTTPDownloader(progressbar=meter, chunk_size=_BLOCK, timeout=TIMEOUT)
    try:
        get(address, _Counted(file, meter), None)
    except requests.HTTPError as error:
        answer = error.response
        assert answer is not None
        reason = f'the server answered {answer.status_code} {answer.reason}'
        raise StalledError(reason) if answer.status_code in _TEMPORARY else TransferError(reason) from error
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise StalledError(_reason(error)) from error
    # Invalid addresses, endless redirections.
    except (requests.RequestException, ValueError) as error:
        raise TransferError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Return the reason why a request failed, without the messages that libraries wrap around it."""
    if isinstance(error, requests.ConnectTimeout):
        return f'the server did not accept a connection within {TIMEOUT[0]:g} seconds'
    text = ' '.join(str(error).split())
    if isinstance(error, requests.Timeout) or 'Read timed out' in text:
        return f'the server sent nothing for {TIMEOUT[1]:g} seconds'
    if 'IncompleteRead' in text:
        return _CUT_SHORT
    return shortened(text)
