"""Calling a function in processes that may crash or hang."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import cv2

# How often a process that waits for work looks whether its parent is still there, in seconds.
_PATIENCE = 1.0
_END = object()


class Lost(NamedTuple):
    """Stands for the result of a call that did not return.

    Attributes:
        reason: What became of it.
    """

    reason: str


def call_in_processes(
    function: Callable[[Any], Any], arguments: Iterable[Any], processes: int, limit: float
) -> Iterator[tuple[Any, Any]]:
    """Call a function for every argument, one at a time in each of several processes.

    A process that ends, by a segmentation fault for example, costs its own call and is replaced; so is one whose call
    takes longer than ``limit``. :mod:`concurrent.futures` gives up all calls then and cannot say which one it was.
    Processes that are interrupted leave it to their parent to stop them, and print nothing.

    Args:
        function: The function; it and its results have to be picklable.
        arguments: Taken as processes get free.
        processes: How many, at least 1.
        limit: Longest time of a call, in seconds.

    Yields:
        Arguments with their results, or with :class:`Lost`, in the order in which they are done.
    """
    queue = iter(arguments)
    workers = [_Worker(function) for _ in range(processes)]
    try:
        busy = [worker for worker in workers if worker.take_from(queue)]
        while busy:
            wait(
                [worker.connection for worker in busy], timeout=min(worker.started for worker in busy) + limit - _now()
            )
            for worker in [worker for worker in busy if worker.is_done(limit)]:
                yield worker.argument, worker.result(limit)
                if not worker.take_from(queue):
                    busy.remove(worker)
    finally:
        for worker in workers:
            worker.stop()


class _Worker:
    """A process, and the call that it is at."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self._start()

    def _start(self) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        arguments = (theirs, self.function, os.getpid())
        self.process = multiprocessing.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        # Processes that are started later must not hold it: its end is how a crash shows.
        theirs.close()

    def take_from(self, queue: Iterator[Any]) -> bool:
        """Begin the next call, if there is one."""
        self.argument = next(queue, _END)
        if self.argument is _END:
            return False
        self.started = _now()
        self.connection.send(self.argument)
        return True

    def is_done(self, limit: float) -> bool:
        return self.connection.poll() or _now() - self.started > limit

    def result(self, limit: float) -> Any:
        """Return what the call returned, or start anew."""
        try:
            if self.connection.poll():
                return self.connection.recv()
            reason = f'it takes longer than {limit:g} s'
        except (EOFError, OSError):
            self.process.join()
            reason = f'the decoder crashed ({_name_of(self.process.exitcode or 0)})'
        self.stop()
        self._start()
        return Lost(reason)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


def _serve(connection: Connection, function: Callable[[Any], Any], parent: int) -> None:
    # Ctrl-C reaches all processes of a terminal.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _silence()
    cv2.setNumThreads(0)
    with suppress(EOFError, OSError):
        while True:
            while not connection.poll(_PATIENCE):
                if os.getppid() != parent:
                    return
            connection.send(function(connection.recv()))


def _silence() -> None:
    """Discard what libraries of decoders write to standard error, which names no file."""
    warnings.simplefilter('ignore')
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)


def _name_of(status: int) -> str:
    return signal.Signals(-status).name if -status in set(signal.Signals) else f'exit status {status}'


def _now() -> float:
    return time.monotonic()
