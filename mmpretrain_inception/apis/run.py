"""Training and testing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults

from mmpretrain_inception.apis.fast import quicken
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import RunOptions, TestOptions, TrainOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.engine.runner.launch import build_runner
from mmpretrain_inception.evaluation import write_metrics


def train(options: TrainOptions) -> None:
    """Train a model.

    Args:
        options: The config and what to change in it.

    Raises:
        UsageError: If the options do not fit the config or each other.
        InputError: If the config, the data or a checkpoint cannot be used.
    """
    with settings_explained(options):
        _build(options).train()


def evaluate(options: TestOptions) -> dict[str, Any]:
    """Evaluate a checkpoint, an exported file, or several checkpoints as an ensemble.

    Args:
        options: The config, the checkpoints and what to change.

    Returns:
        The metrics, in percent where they are shares.

    Raises:
        UsageError: If the options do not fit the config or each other.
        InputError: If the config, the data or a checkpoint cannot be used.
    """
    with settings_explained(options):
        chosen = []
        if options.fast:
            options, note = quicken(options)
            chosen.append(note)
        runner = _build(options, chosen)
        if options.out and options.out_item != 'metrics':
            runner.test_evaluator.metrics.append(DumpResults(out_file_path=options.out))
        metrics: dict[str, Any] = runner.test()
    if options.out and options.out_item == 'metrics' and is_main_process():
        write_metrics(metrics, options.out)
    return metrics


def _build(options: RunOptions, notes_before: Sequence[str] = ()) -> Any:
    cfg, notes = configure(options)
    runner = build_runner(cfg, testing=isinstance(options, TestOptions))
    for note in (*notes_before, *notes):
        runner.logger.info(note)
    return runner
