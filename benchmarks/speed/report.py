"""Results as a table, as JSON and as a chart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

from mmpretrain_inception.utils.atomic_file import atomic_write

_COLORS = {'fp32': 'tab:blue', 'bf16': 'tab:orange', 'int8': 'tab:green'}
_HEADER = '| | images/s | slowest - fastest | ratio | of the limit | peak memory (MB) |\n|---|---|---|---|---|---|'


@dataclass(frozen=True)
class Result:
    """A row of the table.

    Attributes:
        phase: 'inference' or 'training'.
        batch_size: Images per step.
        name: Whose network, in what form.
        precision: 'fp32', 'bf16' or 'int8'.
        images_per_s: Images/s, median over the rounds.
        slowest: Images/s in the slowest round.
        fastest: Images/s in the fastest round.
        ratio: Speed relative to the first row of the same phase and batch size, median over the rounds.
        share: Multiply-adds per second relative to a large matrix product of the same precision in the same rounds.
            None where there is no such product.
        peak_mb: Peak memory of a step beyond what was held before, in MB. None where the system does not report it.
    """

    phase: str
    batch_size: int
    name: str
    precision: str
    images_per_s: float
    slowest: float
    fastest: float
    ratio: float
    share: float | None
    peak_mb: float | None

    @property
    def group(self) -> str:
        """Name of the group of results that are compared with each other."""
        return f'{self.phase}, batch {self.batch_size}'


def format_table(results: Sequence[Result]) -> str:
    """Return a Markdown table for each phase and batch size."""
    blocks = []
    for group, rows in groupby(results, key=lambda result: result.group):
        blocks.append('\n'.join([f'**{group}**\n', _HEADER, *map(_format_row, rows)]))
    return '\n\n'.join(blocks)


def _format_row(row: Result) -> str:
    share = '-' if row.share is None else f'{row.share:.0%}'
    peak = '-' if row.peak_mb is None else f'{row.peak_mb:,.0f}'
    speed = f'{row.images_per_s:.1f} | {row.slowest:.1f} - {row.fastest:.1f} | {row.ratio:.2f}x'
    return f'| {row.name} | {speed} | {share} | {peak} |'


def write_report(results: Sequence[Result], context: dict[str, Any], path: Path) -> None:
    """Write the results as JSON, and as a chart with the same name and the ending .png.

    Args:
        results: The rows.
        context: What they were measured on; plain values.
        path: The JSON file; its folder is created.

    Raises:
        InputError: If a file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    document = dict(context, results=[asdict(result) for result in results])
    with atomic_write(path) as file:
        file.write(json.dumps(document, indent=2).encode() + b'\n')
    with atomic_write(path.with_suffix('.png')) as file:
        _draw(results, context, file)


def _draw(results: Sequence[Result], context: dict[str, Any], file: BinaryIO) -> None:
    from matplotlib.figure import Figure  # slow to import, and only needed at the end

    groups = [(group, list(rows)) for group, rows in groupby(results, key=lambda result: result.group)]
    heights = [len(rows) + 1 for _, rows in groups]
    figure = Figure(figsize=(9, 0.32 * sum(heights) + 1), layout='constrained')
    axes = figure.subplots(len(groups), squeeze=False, height_ratios=heights)[:, 0]
    for axis, (group, rows) in zip(axes, groups):
        speeds = [row.images_per_s for row in rows]
        spread = [[row.images_per_s - row.slowest for row in rows], [row.fastest - row.images_per_s for row in rows]]
        bars = axis.barh(
            [row.name for row in rows], speeds, xerr=spread, color=[_COLORS[row.precision] for row in rows]
        )
        axis.bar_label(bars, [f'  {row.ratio:.2f}x' for row in rows], padding=4)
        axis.set(title=group, xlabel='images/s: median, slowest and fastest round; ratio to the first row')
        axis.margins(x=0.12)
        axis.invert_yaxis()
    figure.suptitle(f'{context["config"]}\n{context["machine"]["device"]}, {context["machine"]["threads"]} threads')
    figure.savefig(file, format='png', dpi=120)
