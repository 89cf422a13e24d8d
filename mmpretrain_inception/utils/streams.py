"""Standard output and error that outlive their reader."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Any, TextIO, cast

from mmengine.logging import print_log

# The reader of a pipe has ended, the terminal is gone, the descriptor is closed.
_LOST = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO)


def keep_streams_open() -> None:
    """Let this process go on, quietly, when nobody reads its standard output or error any more.

    ``train.py | head -1`` must not end a training run after its first line, and Python would print a traceback for
    every later line. What follows goes to the log file only. Characters that a stream cannot encode, such as file names
    that are not UTF-8, are written as escapes.
    """
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        if stream is None:
            # Closed before the start (`>&-`): the next file to be opened would get its descriptor.
            setattr(sys, name, open(os.devnull, 'w'))  # noqa: SIM115 - open as long as the process
        elif not isinstance(stream, _Surviving):
            if hasattr(stream, 'reconfigure'):
                stream.reconfigure(errors='backslashreplace')
            setattr(sys, name, cast('TextIO', _Surviving(stream, name)))


class _Surviving:
    """A text stream that discards what is written once its reader is gone.

    Args:
        stream: Standard output or standard error.
        name: ``stdout`` or ``stderr``.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        """Write, or discard if nobody reads."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._discard(error)
            return len(text)

    def flush(self) -> None:
        """Flush, or discard if nobody reads."""
        try:
            self._stream.flush()
        except OSError as error:
            self._discard(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _discard(self, error: OSError) -> None:
        if error.errno not in _LOST:
            raise error
        # By the descriptor, so that what Python, libraries and child processes still write is discarded as well.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)
        print_log(f'{self._name} was closed; only the log file goes on', logger='current', level=logging.WARNING)
