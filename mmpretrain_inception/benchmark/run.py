"""From the options of ``tools/benchmark.py`` to its results."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.utils import ProgressBar

from mmpretrain_inception.benchmark.machine import describe_machine, matrix_product
from mmpretrain_inception.benchmark.report import Result
from mmpretrain_inception.benchmark.row_process import RowProcess, finished
from mmpretrain_inception.benchmark.rows import ROWS, Row, Subject
from mmpretrain_inception.benchmark.timing import Step, summarize, time_interleaved
from mmpretrain_inception.configuring.config_file import load_config, merge_options
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.evaluation.complexity import count_complexity

# A training step computes the gradients of inputs and of weights besides the outputs.
_PASSES = {'inference': 1, 'training': 3}
_LIMITS = {'fp32': torch.float32, 'bf16': torch.bfloat16}


def run_benchmark(args: Namespace) -> tuple[list[Result], dict[str, Any]]:
    """Time all rows.

    Args:
        args: ``config``, ``checkpoint``, ``phases``, ``batch_sizes``, ``train_batch_sizes``, ``shape``, ``threads``,
            ``rounds``, ``only`` and ``cfg_options``, as ``tools/benchmark.py`` explains them.

    Returns:
        The rows of the table, and what they were measured on.

    Raises:
        UsageError: If ``only`` leaves nothing to compare.
        InputError: If the checkpoint does not fit.
    """
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    cfg = load_config(args.config)
    merge_options(cfg, args.cfg_options)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    multiply_adds = count_complexity(cfg, *args.shape).multiply_adds
    batch_sizes = dict(inference=args.batch_sizes, training=args.train_batch_sizes)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(cfg, args.checkpoint, tuple(args.shape), device, args.threads, Path(folder))
        for phase in args.phases:
            rows = _chosen(ROWS[phase], args.only)
            for batch_size in batch_sizes[phase]:
                results += _time_group(subject, phase, rows, batch_size, args.rounds, multiply_adds)
    context = dict(
        config=args.config,
        checkpoint=args.checkpoint,
        shape=list(args.shape),
        rounds=args.rounds,
        multiply_adds=multiply_adds,
        machine=describe_machine(device),
    )
    return results, context


def _chosen(rows: Sequence[Row], only: Sequence[str] | None) -> list[Row]:
    first, *others = rows
    chosen = [row for row in others if only is None or any(text in row.name for text in only)]
    if not chosen:
        raise UsageError(
            f'--only {" ".join(only or [])}: a part of one of these was expected: {[r.name for r in rows]}'
        )
    return [first, *chosen]


def _time_group(
    subject: Subject, phase: str, rows: Sequence[Row], batch_size: int, rounds: int, multiply_adds: int
) -> list[Result]:
    print(f'{phase}, batch {batch_size}: {len(rows)} rows, {rounds} rounds', flush=True)
    products = {name: matrix_product(dtype, subject.device) for name, dtype in _LIMITS.items()}
    limits = [Step(name, 1, finished(run, subject.device)) for name, (run, _) in products.items()]
    with _row_processes(subject, rows, batch_size) as processes:
        steps = [Step(process.name, batch_size, process.run) for process in processes]
        progress = ProgressBar((len(steps) + len(limits)) * rounds)
        seconds = time_interleaved([*steps, *limits], rounds, progress.update)
        print()
        peaks = [process.peak_mb() for process in processes]
    rates = {
        limit.name: speed.images_per_s * products[limit.name][1]
        for limit, speed in zip(limits, summarize(limits, seconds[len(steps) :]))
    }
    cost = _PASSES[phase] * multiply_adds
    return [
        Result(
            phase,
            batch_size,
            row.name,
            row.precision,
            **speed._asdict(),
            share=cost * speed.images_per_s / rates[row.precision] if row.precision in rates else None,
            peak_mb=peak,
        )
        for row, speed, peak in zip(rows, summarize(steps, seconds[: len(steps)]), peaks)
    ]


@contextmanager
def _row_processes(subject: Subject, rows: Sequence[Row], batch_size: int) -> Iterator[list[RowProcess]]:
    processes: list[RowProcess] = []
    try:
        for row in rows:
            build = partial(row.build, subject, batch_size)
            processes.append(RowProcess(row.name, build, subject.device, subject.threads, row.environment))
            # One after the other: each takes all cores, and some write a file that a later one reads.
            processes[-1].wait()
        yield processes
    finally:
        for process in processes:
            process.close()
