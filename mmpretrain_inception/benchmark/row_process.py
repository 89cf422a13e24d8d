"""Rows in processes of their own, so that none meets what another one left in memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import torch

from mmpretrain_inception.benchmark.machine import peak_memory
from mmpretrain_inception.errors import InputError

Run = Callable[[], object]
_SECONDS_TO_END = 5.0


class RowProcess:
    """A process that builds a step and does it when asked to.

    Args:
        name: Name of the row, for messages.
        build: Returns the step; can be pickled.
        device: Where it computes.
        threads: PyTorch's threads. None: as many as it takes by itself.
        environment: Variables that the process has besides this one's.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[], Run],
        device: torch.device,
        threads: int | None,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        # A fork would share this process's memory, and could not have another environment.
        context = multiprocessing.get_context('spawn')
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, build, device, threads), daemon=True)
        with _environment(environment):
            self._process.start()
        theirs.close()

    def wait(self) -> None:
        """Return when the step is built.

        Raises:
            InputError: If it cannot be built, or the process ended, for want of memory for example.
        """
        self._ask(None)

    def run(self) -> None:
        """Do the step once, and return when it is done."""
        self._ask('run')

    def peak_mb(self) -> float | None:
        """Do the step once, and return by how much it exceeds what was held before, as :func:`peak_memory`."""
        return self._ask('peak')

    def close(self) -> None:
        """End the process, which gives back what it holds if it is not in the middle of a step."""
        self._connection.close()
        self._process.join(_SECONDS_TO_END)
        self._process.kill()
        self._process.join()

    def _ask(self, request: str | None) -> Any:
        """Send a request, unless it is to be built, and return the answer."""
        try:
            if request is not None:
                self._connection.send(request)
            answer = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise InputError(f'{self.name}: its process ended without an answer; is there memory for it?') from error
        if isinstance(answer, Exception):
            raise answer
        return answer


def _serve(connection: Connection, build: Callable[[], Run], device: torch.device, threads: int | None) -> None:
    # Ctrl-C reaches the process that asks, too, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        run = finished(build(), device)
        connection.send(None)
        while True:
            if connection.recv() == 'peak':
                connection.send(peak_memory(run, device))
            else:
                run()
                connection.send(None)
    except EOFError:
        return
    except Exception as error:
        connection.send(error)


def finished(run: Run, device: torch.device) -> Run:
    """Let a step end when its work on a GPU has ended.

    Args:
        run: The step.
        device: Where it computes.
    """
    if device.type != 'cuda':
        return run

    def run_and_wait() -> None:
        run()
        torch.cuda.synchronize(device)

    return run_and_wait


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for what is started within the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
