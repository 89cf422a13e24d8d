"""Calling a function in processes that may crash or hang."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, TimeoutError, wait
from itertools import islice
from typing import Any, NamedTuple

import cv2
from pebble import ProcessExpired, ProcessPool

# Calls that wait for a free process, so that none is ever idle.
_QUEUED_PER_PROCESS = 16


class Lost(NamedTuple):
    """The result of a call that did not return.

    Attributes:
        reason: What happened to it.
    """

    reason: str


def call_in_processes(
    function: Callable[[Any], Any], arguments: Iterable[Any], processes: int, limit: float, in_order: bool = False
) -> Generator[tuple[Any, Any], None, None]:
    """Call a function for every argument, one at a time in each of several processes.

    A process that ends, by a segmentation fault for example, costs its own call and is replaced. So is one whose call
    takes longer than ``limit``. Processes ignore Ctrl-C and print nothing; their parent stops them.

    Args:
        function: The function. Its results have to be picklable.
        arguments: Taken a few at a time; they have to be picklable.
        processes: How many, at least 1.
        limit: Longest time of a call, in seconds.
        in_order: Whether to yield in the order of the arguments. While the first one is waited for, only so many others
            are computed as are in memory at any time. Defaults to False: in the order in which they finish.

    Yields:
        Arguments with their results, or with :class:`Lost`.
    """
    remaining = iter(arguments)
    pool = ProcessPool(processes, initializer=_start, initargs=[function])
    pending: dict[Future, Any] = {}
    try:
        while True:
            for argument in islice(remaining, processes * _QUEUED_PER_PROCESS - len(pending)):
                pending[pool.schedule(_call, [argument], timeout=limit)] = argument
            if not pending:
                return
            for future in [next(iter(pending))] if in_order else wait(pending, return_when=FIRST_COMPLETED).done:
                yield pending.pop(future), _result_of(future, limit)
    finally:
        pool.stop()
        pool.join()


def _result_of(future: Future, limit: float) -> Any:
    try:
        return future.result()
    except TimeoutError:
        return Lost(f'it takes longer than {limit:g} s')
    except ProcessExpired as error:
        return Lost(f'the decoder crashed ({_name_of(error.exitcode or 0)})')


def _name_of(status: int) -> str:
    return signal.Signals(-status).name if -status in set(signal.Signals) else f'exit status {status}'


def _start(function: Callable[[Any], Any]) -> None:
    """Prepare a process: keep the function, and discard what libraries print, which names no file."""
    global _function
    _function = function
    cv2.setNumThreads(0)
    warnings.simplefilter('ignore')
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _call(argument: Any) -> Any:
    return _function(argument)


# Of the process, which inherits it when it is forked: it need not be picklable.
_function: Callable[[Any], Any]
