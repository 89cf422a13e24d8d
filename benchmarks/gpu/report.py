"""The outcomes as lines, as tables and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu.one_step import FAILED
from benchmarks.gpu.processes import Outcome
from benchmarks.speed.report import Result, format_table
from mmpretrain_inception.utils.atomic_file import atomic_write

_HEADER = '| step | result | seconds | found |\n|---|---|---|---|'


def format_line(outcome: Outcome) -> str:
    """Return what the user sees when a step ends."""
    return f'{outcome.status:8} {outcome.seconds:6.1f} s  {outcome.name}: {_said(outcome) or "-"}'


def format_report(outcomes: Sequence[Outcome]) -> str:
    """Return a Markdown table of the steps, and those of the speeds."""
    rows = [f'| {outcome.name} | {outcome.status} | {outcome.seconds:.1f} | {_said(outcome)} |' for outcome in outcomes]
    speeds = [Result(**row) for outcome in outcomes for row in outcome.found.get('rows', ())]
    return '\n\n'.join(filter(None, ['\n'.join([_HEADER, *rows]), format_table(speeds)]))


def format_summary(outcomes: Sequence[Outcome], device: str) -> str:
    """Return the last line: how many steps ended how, and after how long."""
    counts: dict[str, int] = {}
    for outcome in outcomes:
        counts[outcome.status] = counts.get(outcome.status, 0) + 1
    numbers = ', '.join(f'{count} {status}' for status, count in counts.items())
    return f'{numbers} on {device} in {sum(outcome.seconds for outcome in outcomes):.0f} s'


def has_failed(outcomes: Sequence[Outcome]) -> bool:
    """Return whether any step failed."""
    return any(outcome.status == FAILED for outcome in outcomes)


def write_json(outcomes: Sequence[Outcome], machine: dict[str, Any], path: Path) -> None:
    """Write the outcomes and what they were found on.

    Raises:
        InputError: If the file cannot be written.
    """
    document = dict(machine=machine, steps=[outcome._asdict() for outcome in outcomes])
    with atomic_write(path) as file:
        file.write(json.dumps(document, indent=2).encode() + b'\n')


def _said(outcome: Outcome) -> str:
    found = [f'{key} {_format(value)}' for key, value in outcome.found.items() if key != 'rows']
    note = [f'on a CPU: {outcome.note}'] if outcome.note else []
    return '; '.join(part for part in (*found, outcome.message, *note) if part)


def _format(value: Any) -> str:
    return f'{value:.2g}' if isinstance(value, float) and abs(value) < 1 else str(value)
