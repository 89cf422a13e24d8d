"""Run the benchmark: from the options of ``tools/benchmark.py`` to its results."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.speed.machine import describe_machine, matrix_product
from benchmarks.speed.report import Result
from benchmarks.speed.row_process import RowProcess, finished
from benchmarks.speed.rows import ROWS, Row
from benchmarks.speed.subject import Subject
from benchmarks.speed.timing import Step, summarize, time_interleaved
from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.configuring.options import ConfigOptions
from mmpretrain_inception.configuring.reading import read_config
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.evaluation.complexity import count_complexity
from mmpretrain_inception.utils.gpu import has_gpu
from mmpretrain_inception.utils.wording import list_some

# A training step also computes the gradients of inputs and of weights.
_PASSES = {'inference': 1, 'training': 3}
_LIMITS = {'fp32': torch.float32, 'bf16': torch.bfloat16}


@dataclass(frozen=True)
class Options:
    """What to time; ``tools/benchmark.py --help`` explains each.

    Attributes:
        config: Config file.
        checkpoint: Weights of our rows. Defaults to random ones.
        phases: Defaults to both.
        batch_sizes: Of inference.
        train_batch_sizes: Of training.
        shape: Height and width of the images, in pixels.
        threads: PyTorch's threads. Defaults to what PyTorch chooses.
        rounds: How often each row runs.
        only: Parts of the names of the rows to time. Defaults to all rows, but those in bfloat16 where the processor
            only emulates it, slower than float32.
        cfg_options: Settings that replace those of the config.
    """

    config: str
    checkpoint: str | None = None
    phases: Sequence[str] = ('inference', 'training')
    batch_sizes: Sequence[int] = (8, 32)
    train_batch_sizes: Sequence[int] = (16,)
    shape: Sequence[int] = (299, 299)
    threads: int | None = None
    rounds: int = 7
    only: Sequence[str] | None = None
    cfg_options: dict[str, Any] | None = None


Report = Callable[[Sequence[Result], dict[str, Any]], None]


def run_benchmark(options: Options, report: Report = lambda results, context: None) -> list[Result]:
    """Time all rows.

    Args:
        options: What to time.
        report: Called as soon as a phase and batch size is done, with all results until then and what they were
            measured on, so that a run that is stopped leaves something. Defaults to nothing.

    Returns:
        The rows of the table.

    Raises:
        UsageError: If ``only`` matches no row.
        InputError: If the checkpoint does not fit.
    """
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    cfg = read_config(ConfigOptions(options.config, options.cfg_options)).cfg
    device = torch.device('cuda' if has_gpu() else 'cpu')
    height, width = options.shape
    multiply_adds = count_complexity(cfg, height, width).multiply_adds
    batch_sizes = dict(inference=options.batch_sizes, training=options.train_batch_sizes)
    emulated = not Machine.here().bf16
    context = dict(
        config=options.config,
        checkpoint=options.checkpoint,
        shape=[height, width],
        rounds=options.rounds,
        multiply_adds=multiply_adds,
        machine=describe_machine(device),
    )
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        subject = Subject(cfg, options.checkpoint, (height, width), device, options.threads, Path(folder))
        for phase in options.phases:
            rows = _chosen(ROWS[phase], options.only, emulated)
            for batch_size in batch_sizes[phase]:
                results += _time_group(subject, phase, rows, batch_size, options.rounds, multiply_adds)
                report(results, context)
    return results


def _chosen(rows: Sequence[Row], only: Sequence[str] | None, emulated: bool) -> list[Row]:
    if only is None and emulated:
        slow = [row.name for row in rows if row.precision == 'bf16']
        print(f'left out, because bfloat16 is only emulated here (--only times them): {list_some(slow)}')
        return [row for row in rows if row.precision != 'bf16']
    first, *others = rows
    chosen = [row for row in others if only is None or any(text in row.name for text in only)]
    if not chosen:
        raise UsageError(
            f'--only {" ".join(only or [])}: no row has such a name; the rows are {[row.name for row in rows]}'
        )
    return [first, *chosen]


def _time_group(
    subject: Subject, phase: str, rows: Sequence[Row], batch_size: int, rounds: int, multiply_adds: int
) -> list[Result]:
    print(f'{phase}, batch {batch_size}: {len(rows)} rows, {rounds} rounds', flush=True)
    wanted = {row.precision for row in rows}
    products = {name: matrix_product(dtype, subject.device) for name, dtype in _LIMITS.items() if name in wanted}
    limits = [Step(name, 1, finished(run, subject.device)) for name, (run, _) in products.items()]
    with _row_processes(subject, rows, batch_size) as processes:
        steps = [Step(process.name, batch_size, process.run) for process in processes]
        seconds = time_interleaved([*steps, *limits], rounds, _show)
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


def _show(step: Step, seconds: float) -> None:
    if step.name not in _LIMITS:
        print(f'  {step.name}: {step.images / seconds:.1f} images/s', flush=True)


@contextmanager
def _row_processes(subject: Subject, rows: Sequence[Row], batch_size: int) -> Iterator[list[RowProcess]]:
    with ExitStack() as stack:
        processes = []
        for row in rows:
            # One after the other: each takes all cores, and some write a file that a later one reads.
            process = RowProcess(row.name, row.build, row.arguments, subject, batch_size, row.environment)
            stack.callback(process.close)
            processes.append(process)
        yield processes
