"""Standard output and error that outlive their reader."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from typing import Any, TextIO, cast

# The reader of a pipe has ended, the terminal is gone, the descriptor is closed.
_LOST = (errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO)


def keep_streams_open(on_loss: Callable[[str], None] | None = None) -> None:
    """Let this process go on, quietly, when nobody reads its standard output or error any more.

    ``train.py | head -1`` must not end a training run after its first line, and Python would print a traceback for
    every later line. What follows goes to the log file only. Characters that a stream cannot encode, such as file names
    that are not UTF-8, are written as escapes.

    Args:
        on_loss: Called with the name of the stream, ``stdout`` or ``stderr``, when its reader is gone. Defaults to
            None.
    """
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        if stream is None:
            # Closed before the start (`>&-`): the next file to be opened would get its descriptor.
            setattr(sys, name, open(os.devnull, 'w'))  # noqa: SIM115 - open as long as the process
        elif not isinstance(stream, _Surviving):
            if hasattr(stream, 'reconfigure'):
                stream.reconfigure(errors='backslashreplace')
            setattr(sys, name, cast('TextIO', _Surviving(stream, name, on_loss)))


class _Surviving:
    """A text stream that discards what is written once its reader is gone.

    Args:
        stream: Standard output or standard error.
        name: ``stdout`` or ``stderr``.
        on_loss: Called with the name once nobody reads.
    """

    def __init__(self, stream: TextIO, name: str, on_loss: Callable[[str], None] | None) -> None:
        self._stream = stream
        self._name = name
        self._on_loss = on_loss

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
        if self._on_loss is not None:
            self._on_loss(self._name)
