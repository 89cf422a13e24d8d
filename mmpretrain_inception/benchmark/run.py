"""From the options of ``tools/benchmark.py`` to its results."""

from __future__ import annotations

import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.utils import ProgressBar

from mmpretrain_inception.benchmark.machine import describe_machine, matrix_product, peak_memory
from mmpretrain_inception.benchmark.report import Result
from mmpretrain_inception.benchmark.rows import ROWS, Row, Subject
from mmpretrain_inception.benchmark.timing import Step, summarize, time_interleaved
from mmpretrain_inception.engine.config_file import load_config, merge_options
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
        subject = Subject(cfg, args.checkpoint, tuple(args.shape), device, Path(folder))
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
    steps = [Step(row.name, batch_size, _finished(row.build(subject, batch_size), subject.device)) for row in rows]
    products = {name: matrix_product(dtype, subject.device) for name, dtype in _LIMITS.items()}
    limits = [Step(name, 1, _finished(run, subject.device)) for name, (run, _) in products.items()]
    progress = ProgressBar((len(steps) + len(limits)) * (rounds + 1))
    seconds = time_interleaved([*steps, *limits], rounds, progress.update)
    print()
    rates = {
        limit.name: speed.images_per_s * products[limit.name][1]
        for limit, speed in zip(limits, summarize(limits, seconds[len(steps) :]))
    }
    speeds = summarize(steps, seconds[: len(steps)])
    cost = _PASSES[phase] * multiply_adds
    return [
        Result(
            phase,
            batch_size,
            row.name,
            row.precision,
            **speed._asdict(),
            share=cost * speed.images_per_s / rates[row.precision] if row.precision in rates else None,
            peak_mb=peak_memory(step.run, subject.device),
        )
        for row, step, speed in zip(rows, steps, speeds)
    ]


def _finished(run: Callable[[], object], device: torch.device) -> Callable[[], object]:
    """Let a call end when its work on a GPU has ended."""
    if device.type != 'cuda':
        return run

    def run_and_wait() -> None:
        run()
        torch.cuda.synchronize(device)

    return run_and_wait
