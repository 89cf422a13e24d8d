"""What every download has to keep to, whichever library makes it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Thread
from typing import TypeVar

import pooch

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.progress import REDRAW, progress

# Published files of Inception V3 have 110 MB, training checkpoints 0.5 GB.
MAX_BYTES = 2**31
# A download with less than this in a period is given up.
MIN_BYTES, PERIOD = 2**16, 60.0

# How libraries say that a name has no address: requests, and those of the system's.
_UNKNOWN = (
    'NameResolutionError',
    'Name or service not known',
    'getaddrinfo',
    'name resolution',
    'nodename nor servname',
)
_PAGE = re.compile(rb'\s*<(!doctype|html)', re.IGNORECASE)

Result = TypeVar('Result')


class TransferError(Exception):
    """The reason why a download failed, for a message."""


class StalledError(TransferError):
    """A failure that may not occur in another attempt."""


class Meter:
    """Counts the bytes of a download, and ends it.

    pooch takes it for a progress bar, and so tells it the total. What pooch counts, in whole blocks, it ignores.
    """

    def __init__(self) -> None:
        self.received = 0
        self.given_up = False
        # Bytes that the server announces; None if it does not.
        self.total: float | None = None

    def add(self, count: int) -> None:
        """Count bytes that were received.

        Raises:
            TransferError: If they are too many, or nobody waits for them any more.
        """
        self.received += count
        if self.given_up:
            raise TransferError('given up')
        if self.received > MAX_BYTES:
            raise TransferError(f'expected at most {MAX_BYTES:,} bytes, got more')

    def ignore(self, count: float = 0) -> None:
        """Do nothing."""

    update = reset = close = ignore


def watch(transfer: Callable[[Meter], Result], title: str, period: float | None = None) -> Result:
    """Do a download in a thread with a progress bar in this one, and give it up if too little arrives.

    A server that sends a byte now and then, even in the headers, never triggers the time-out of a socket.

    Args:
        transfer: The download, which counts what arrives.
        title: What stands before the bar.
        period: Seconds in which ``MIN_BYTES`` have to arrive. Defaults to ``PERIOD``.

    Raises:
        StalledError: If too little arrives.
        Exception: What ``transfer`` raises.
    """
    meter, period = Meter(), PERIOD if period is None else period
    outcome: Future[Result] = Future()
    Thread(target=_settle, args=(outcome, transfer, meter), daemon=True).start()
    before, until = 0, time.monotonic() + period
    with progress(title, unit='byte') as bar:
        while not wait([outcome], timeout=min(REDRAW, period)).done:
            bar.describe(title, meter.total or None)
            bar.advance(meter.received - bar.done)
            if meter.received - before >= MIN_BYTES:
                before, until = meter.received, time.monotonic() + period
            elif time.monotonic() > until:
                meter.given_up = True
                raise StalledError(f'the server sent less than {MIN_BYTES:,} bytes in {period:g} seconds')
        bar.advance(meter.received - bar.done)
        return outcome.result()


def _settle(outcome: Future[Result], transfer: Callable[[Meter], Result], meter: Meter) -> None:
    try:
        outcome.set_result(transfer(meter))
    # The other thread raises it, whatever it is.
    except BaseException as error:
        outcome.set_exception(error)


def verify(path: Path, checksum: str) -> None:
    """Compare a file with what is known of it.

    Args:
        path: The file.
        checksum: ``sha256:DIGITS`` or ``md5:DIGITS``. The digits may be only the first ones.

    Raises:
        TransferError: If it is another file.
    """
    kind, _, digits = checksum.partition(':')
    found = pooch.file_hash(str(path), alg=kind)
    if not found.startswith(digits):
        with path.open('rb') as file:
            if _PAGE.match(file.read(64)):
                raise TransferError('got a web page instead of the file (from a proxy or a login?)')
        start = digits if len(digits) <= 16 else f'{digits[:16]}...'
        raise TransferError(f'expected a {kind} that begins with {start}, got {found[:16]}')


def shortened(text: str) -> str:
    """Return the reason in a library's message, on one line.

    Args:
        text: The message.
    """
    if any(part in text for part in _UNKNOWN):
        return 'its server is not known (no connection to the internet?)'
    return ' '.join(text.split())[-160:]


def announce(origin: str, folder: Path) -> None:
    """Say what is downloaded, where the progress bars are."""
    print(f'downloading {origin} to {folder}', file=sys.stderr)


def not_kept(origin: str, place: Path, error: OSError, variable: str) -> InputError:
    """Return the error for a download that the cache cannot take.

    Args:
        origin: What was wanted.
        place: Where it should go.
        error: Why it cannot.
        variable: What names the cache.
    """
    return InputError(
        f'{origin} cannot be kept as {place}: {error.strerror or error}\n'
        f'set {variable} to a folder that can be written, or download the file and pass its path'
    )


def failure(origin: str, reason: object, cache: str) -> InputError:
    """Return the error for weights that cannot be had.

    Args:
        origin: What was wanted.
        reason: Why it failed.
        cache: What to do to take them from a cache.
    """
    return InputError(
        f'{origin} cannot be downloaded: {reason}\n'
        f'pass the path of a file instead, or {cache}, or train from scratch with --weights none'
    )
