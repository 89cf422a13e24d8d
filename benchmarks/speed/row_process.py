"""Each row runs in a process of its own, so that none is affected by what another left in memory."""

from __future__ import annotations

import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import torch

from benchmarks.speed.machine import peak_memory
from benchmarks.speed.subject import Subject
from mmpretrain_inception.errors import InputError

Run = Callable[[], object]
_SECONDS_TO_END = 5.0


class RowProcess:
    """A process that builds a step, and runs it on request. Requests and answers are JSON, one a line.

    Args:
        name: Name of the row, for messages.
        build: The function that builds the step, as ``module:function``; called with the subject, the batch size and
            the arguments.
        arguments: Keyword arguments of the function; plain values.
        subject: What to measure on.
        batch_size: Images per step.
        environment: Environment variables to set in the process.
    """

    def __init__(
        self,
        name: str,
        build: str,
        arguments: Mapping[str, Any],
        subject: Subject,
        batch_size: int,
        environment: Mapping[str, str],
    ) -> None:
        self.name = name
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'benchmarks.speed.row_process'],
            env={**os.environ, **environment, 'PYTHONPATH': os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._ask(dict(build=build, arguments=dict(arguments), subject=subject.as_json(), batch_size=batch_size))

    def run(self) -> None:
        """Run the step once, and return when it is done."""
        self._ask('run')

    def peak_mb(self) -> float | None:
        """Run the step once, and return the memory it takes beyond what was held before (:func:`peak_memory`)."""
        return self._ask('peak')

    def close(self) -> None:
        """End the process. In the middle of a step, it is killed after a few seconds."""
        try:
            self._process.communicate(timeout=_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _ask(self, request: object) -> Any:
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()  # type: ignore[union-attr]
        except BrokenPipeError:
            answer = ''
        if not answer:
            self.close()
            raise InputError(f'{self.name}: its process ended without an answer; is there enough memory?')
        answer = json.loads(answer)
        if 'error' in answer:
            self.close()
            raise InputError(f'{self.name}: {answer["error"]}')
        return answer['result']


def finished(run: Run, device: torch.device) -> Run:
    """Return a step that also waits for its work on a GPU.

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


def _serve(requests: TextIO, answers: TextIO) -> None:
    """Build the step that the first line describes, then run it as often as asked."""

    def answer(**values: Any) -> None:
        print(json.dumps(values), file=answers, flush=True)

    order = json.loads(requests.readline())
    subject = Subject.from_json(order['subject'])
    if subject.threads is not None:
        torch.set_num_threads(subject.threads)
    try:
        build = pkgutil.resolve_name(order['build'])
        run = finished(build(subject, order['batch_size'], **order['arguments']), subject.device)
        answer(result=None)
        for line in requests:
            if json.loads(line) == 'peak':
                answer(result=peak_memory(run, subject.device))
            else:
                run()
                answer(result=None)
    except InputError as error:
        answer(error=str(error))


if __name__ == '__main__':
    # The process that asks ends this one on Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries print to standard output; the answers need a channel of their own.
    channel = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    _serve(sys.stdin, channel)
