"""Download weights. They get their final name in torch's cache only when they are complete and checked."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import BinaryIO
from urllib.parse import urlparse

import requests
import torch
from filelock import FileLock

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_path, remove_partial_files

# As in torch.hub and OpenMMLab's model zoo: the first digits of the sha256, before the suffix.
_HASH = re.compile(r'-([a-f0-9]{8,64})\.')
_ADDRESSES = ('http://', 'https://')

# Published files of Inception V3 have 110 MB, training checkpoints 0.5 GB.
MAX_BYTES = 2**31
# Seconds to wait for a connection, and for the next bytes.
TIMEOUT = (10.0, 30.0)
# A download with less than this in a period is aborted, so that a server cannot send one byte at a time forever.
MIN_BYTES, PERIOD = 2**16, 60.0
ATTEMPTS = 3
_PAUSE = 1.0
_BLOCK = 2**16
# Answers that may differ at the next attempt: too many requests, and errors of the server.
_TEMPORARY = {429, 500, 502, 503, 504}
_CUT_SHORT = 'the connection ended before the file was complete'


class _TemporaryError(Exception):
    """A failure that may not occur in another attempt."""


def is_address(source: str) -> bool:
    """Return whether ``source`` is a web address and not a path."""
    return source.startswith(_ADDRESSES)


def download(address: str, check: Callable[[Path], object]) -> Path:
    """Return the local copy of a file on the web. It is downloaded the first time.

    If several processes need the same file, one downloads it and the others wait.

    Args:
        address: An ``http://`` or ``https://`` address. If its file name ends in digits of a sha256, as in
            ``name-0cc3c7bd.pth``, the file's sha256 must begin with them.
        check: Raises ``InputError`` if a file does not contain weights. Used if the name has no sha256.

    Raises:
        InputError: If the download fails, stalls, is incomplete or too large, has another sha256, or does not contain
            weights. Nothing of it is kept.
    """
    try:
        target = _cached(address)
    except ValueError as error:
        raise _failure(address, str(error)) from error
    try:
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f'.{target.name}.lock')):
            if not target.is_file():
                remove_partial_files(target.parent)
                _download(address, target, check)
    except OSError as error:
        raise InputError(
            f'{address} cannot be kept as {target}: {error.strerror or error}\n'
            'set TORCH_HOME to a folder that can be written, or download the file and pass its path'
        ) from error
    return target


def _cached(address: str) -> Path:
    """Return where torch.hub keeps a file; if its name has no hash, in a separate folder.

    Several files on Hugging Face are all called ``model.safetensors``.
    """
    # A name may have 255 bytes, and the lock and the partial file add to it.
    name = Path(urlparse(address).path).name[-100:] or 'weights'
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    return folder / name if _HASH.search(name) else folder / hashlib.sha256(address.encode()).hexdigest()[:16] / name


def _download(address: str, target: Path, check: Callable[[Path], object]) -> None:
    prefix = _HASH.search(target.name)
    with atomic_path(target) as unfinished:
        digest = _fetch_patiently(address, unfinished)
        if prefix is None:
            check(unfinished)
        elif not digest.startswith(prefix[1]):
            raise _failure(address, f'expected a sha256 that begins with {prefix[1]}, got {digest[:16]}')


def _fetch_patiently(address: str, path: Path) -> str:
    """Download to a file, with several attempts if necessary, and return the sha256."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with path.open('wb') as file:
                return _fetch(address, file)
        except _TemporaryError as error:
            if attempt == ATTEMPTS:
                raise _failure(address, f'{error} ({ATTEMPTS} attempts)') from error
            time.sleep(_PAUSE * attempt)
    raise AssertionError('unreachable')


def _fetch(address: str, file: BinaryIO) -> str:
    """Write the answer of a server to a file, and return its sha256."""
    digest, received = hashlib.sha256(), 0
    for block in _watched(partial(_received, address)):
        received += len(block)
        if received > MAX_BYTES:
            raise _failure(address, f'expected at most {MAX_BYTES:,} bytes, got more')
        digest.update(block)
        file.write(block)
    return digest.hexdigest()


def _watched(receive: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """Yield blocks from a thread, and fail if too few of them arrive in a period.

    A server that sends a byte now and then, even in the headers, never triggers the time-out of a socket.
    """
    blocks: Queue[bytes | Exception | None] = Queue(maxsize=64)
    given_up = Event()
    Thread(target=_fill, args=(receive, blocks, given_up), daemon=True).start()
    left, end = MIN_BYTES, time.monotonic() + PERIOD
    try:
        while (block := blocks.get(timeout=max(0.0, end - time.monotonic()))) is not None:
            if isinstance(block, Exception):
                raise block
            left -= len(block)
            yield block
            if left <= 0:
                left, end = MIN_BYTES, time.monotonic() + PERIOD
    except Empty:
        raise _TemporaryError(f'the server sent less than {MIN_BYTES:,} bytes in {PERIOD:g} seconds') from None
    finally:
        given_up.set()


def _fill(receive: Callable[[], Iterator[bytes]], blocks: Queue[bytes | Exception | None], given_up: Event) -> None:
    last: Exception | None = None
    try:
        for block in receive():
            while not given_up.is_set():
                try:
                    blocks.put(block, timeout=1)
                    break
                except Full:
                    continue
            if given_up.is_set():
                return
    # The other thread raises it, whatever it is.
    except Exception as error:
        last = error
    blocks.put(last)


def _received(address: str) -> Iterator[bytes]:
    """Yield the complete answer of a server in blocks."""
    try:
        with requests.get(address, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code != requests.codes.ok:
                reason = f'the server answered {answer.status_code} {answer.reason}'
                raise _TemporaryError(reason) if answer.status_code in _TEMPORARY else _failure(address, reason)
            yield from answer.iter_content(_BLOCK)
            declared = answer.headers.get('Content-Length', '')
            if declared.isdecimal() and answer.raw.tell() < int(declared):
                raise _TemporaryError(_CUT_SHORT)
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        raise _TemporaryError(_reason(error)) from error
    # Invalid addresses, endless redirections.
    except (requests.RequestException, ValueError) as error:
        raise error if isinstance(error, InputError) else _failure(address, _reason(error)) from error


def _reason(error: Exception) -> str:
    """Return the reason why a request failed, without the messages that libraries wrap around it."""
    if isinstance(error, requests.ConnectTimeout):
        return f'the server did not accept a connection within {TIMEOUT[0]:g} seconds'
    text = ' '.join(str(error).split())
    if isinstance(error, requests.Timeout) or 'Read timed out' in text:
        return f'the server sent nothing for {TIMEOUT[1]:g} seconds'
    if 'IncompleteRead' in text:
        return _CUT_SHORT
    return text[-160:]


def _failure(address: str, reason: str) -> InputError:
    return InputError(f'{address} cannot be downloaded: {reason}')
