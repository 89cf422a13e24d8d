"""Run each step in a process of its own, with a time limit."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.gpu.one_step import FAILED
from benchmarks.gpu.settings import REPOSITORY, Settings
from benchmarks.gpu.steps import Step

_LOG_LINES = 30
_MODULE = 'benchmarks.gpu.one_step'


class Outcome(NamedTuple):
    """How a step ended.

    Attributes:
        name: Of the step.
        status: ``passed``, ``failed`` or ``left out``.
        seconds: That it took, with the start of its process.
        found: What it found.
        message: Why it failed or was left out.
        note: What the CPU does instead.
        log: The last lines that a failed step printed.
    """

    name: str
    status: str
    seconds: float
    found: dict[str, Any]
    message: str
    note: str
    log: list[str]


def run_in_process(step: Step, settings: Settings, seconds_left: float) -> Outcome:
    """Run a step; whatever happens to it, there is an outcome.

    Args:
        step: The step.
        settings: Where and on how much it computes.
        seconds_left: Of all steps together. A step that takes longer, or longer than its own limit, has failed.
    """
    stem = step.function.rpartition(':')[2]
    result, log = (Path(settings.folder, f'{stem}.{ending}') for ending in ('json', 'log'))
    limit = max(0.0, min(step.limit(settings.device), seconds_left))
    started = time.perf_counter()
    with log.open('wb') as output:
        process = subprocess.Popen(
            [
                *(sys.executable, '-m', _MODULE),
                *(step.function, json.dumps(settings.as_json()), str(result)),
            ],
            env=_environment(settings),
            cwd=settings.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            # So that the processes that it starts end with it.
            start_new_session=True,
        )
        try:
            process.wait(limit)
            ended = f'its process ended with status {process.returncode}'
        except subprocess.TimeoutExpired:
            ended = f'not finished after {limit:.0f} s'
        finally:
            _end(process)
    seconds = time.perf_counter() - started
    lines = log.read_text(errors='replace').splitlines()
    note = '' if settings.on_gpu else step.on_cpu
    if result.exists():
        answer = json.loads(result.read_text())
        kept = lines[-_LOG_LINES:] if answer['status'] == FAILED else []
        return Outcome(step.name, seconds=seconds, note=note, log=kept, **answer)
    message = f'{ended}: {lines[-1].strip()}' if lines else ended
    return Outcome(step.name, FAILED, seconds, {}, message, note, lines[-_LOG_LINES:])


def _environment(settings: Settings) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get('PYTHONPATH'))))
    # Nothing is downloaded.
    added = dict(PYTHONPATH=path, HF_HUB_OFFLINE='1')
    return {**os.environ, **added, **({} if settings.on_gpu else {'CUDA_VISIBLE_DEVICES': ''})}


def _end(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
