"""Files on Hugging Face, by its own library and in its own cache."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import LocalEntryNotFoundError, OfflineModeIsEnabled
from huggingface_hub.utils import tqdm

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.transfer import (
    Meter,
    TransferError,
    announce,
    failure,
    not_kept,
    shortened,
    verify,
    watch,
)

_ADDRESS = re.compile(
    r'https://huggingface\.co/(?P<repository>[\w.-]+/[\w.-]+)/resolve/(?P<revision>[^/?]+)/(?P<file>[^?]+)'
)
_SHA256 = re.compile('[0-9a-f]{64}')
# The library counts blocks of 10 MB: a line of 20 kB/s fills one in this time.
_PERIOD = 600.0
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST)
_CACHE = 'set HF_HOME to a cache folder that has it'


def is_on_hub(address: str) -> bool:
    """Return whether an address is of a file on Hugging Face."""
    return _ADDRESS.match(address) is not None


def download_from_hub(address: str, origin: str, checksum: str, check: Callable[[Path], object]) -> Path:
    """Return the local copy of a file on Hugging Face. It is downloaded the first time.

    ``HF_HOME``, ``HF_ENDPOINT``, ``HF_HUB_OFFLINE``, ``HF_TOKEN`` and proxies work as everywhere with this library.

    Args:
        address: Its address.
        origin: What was wanted, for messages.
        checksum: What is known of it, as for :func:`verify`. If nothing, the sha256 that Hugging Face gave with it.
        check: Raises ``InputError`` if a file does not contain weights. Used if there is no checksum at all.

    Raises:
        InputError: If it cannot be downloaded, is too large, or is another file. Nothing of it is kept.
    """
    found = _ADDRESS.match(address)
    assert found is not None
    named = dict(repo_id=found['repository'], revision=found['revision'], filename=found['file'])
    try:
        path = _local(named, origin)
        _check(path, checksum, check)
    except TransferError as error:
        raise failure(origin, error, _CACHE) from error
    return path


def _kept(named: dict[str, Any]) -> Path | None:
    try:
        return Path(hf_hub_download(**named, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def _local(named: dict[str, Any], origin: str) -> Path:
    lock = Path(constants.HF_HUB_CACHE) / '.locks' / f'{named["repo_id"].replace("/", "--")}.lock'
    try:
        kept = _kept(named)
        if kept is not None:
            return kept
        lock.parent.mkdir(parents=True, exist_ok=True)
        # The library has its own, but while it waits for it nothing arrives.
        with FileLock(lock):
            kept = _kept(named)
            if kept is not None:
                return kept
            announce(origin, Path(constants.HF_HUB_CACHE))
            title = named['repo_id'].rpartition('/')[2]
            with _quiet():
                return Path(watch(lambda meter: hf_hub_download(**named, tqdm_class=_bar(meter)), title, _PERIOD))
    except TransferError:
        raise
    # The library's own errors and those of the HTTP library below it, which differs between its versions.
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _NOT_WRITABLE:
            raise not_kept(origin, Path(constants.HF_HUB_CACHE), error, 'HF_HOME') from error
        raise TransferError(_reason(error)) from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library from a line for each attempt; the error says why the last one failed."""
    logger = logging.getLogger('huggingface_hub')
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _bar(meter: Meter) -> type[Any]:
    class Counting(tqdm):
        """Takes the place of the library's progress bar, and shows nothing."""

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **{**settings, 'disable': True})
            meter.total = settings.get('total')

        def update(self, n: float | None = 1) -> None:
            meter.add(int(n or 0))

    return Counting


def _check(path: Path, checksum: str, check: Callable[[Path], object]) -> None:
    """Check a file each time it is used: the library compares only sizes, and other programs fill its cache too."""
    blob = path.resolve()
    # The cache keeps a large file under its sha256.
    stated = f'sha256:{blob.name}' if _SHA256.fullmatch(blob.name) else ''
    known = stated or checksum
    try:
        verify(path, known) if known else check(path)
    except (TransferError, InputError):
        # No other program can use it either.
        path.unlink()
        blob.unlink(missing_ok=True)
        raise
    if not known.startswith(checksum):
        verify(path, checksum)


def _reason(error: Exception) -> str:
    if isinstance(error, LocalEntryNotFoundError) and error.__cause__ is not None:
        return _reason(error.__cause__) if isinstance(error.__cause__, Exception) else str(error.__cause__)
    if isinstance(error, OfflineModeIsEnabled):
        return 'HF_HUB_OFFLINE is set'
    return shortened(str(error).partition('\n')[0]) or type(error).__name__
