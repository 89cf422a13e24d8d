"""Training and testing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.runner import Runner

from mmpretrain_inception.apis.commands import same_command
from mmpretrain_inception.apis.fast import quicken
from mmpretrain_inception.apis.screen import table_of, test_screen, training_result, training_screen
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.default_config import choose_config, find_config
from mmpretrain_inception.configuring.options import RunOptions, TestOptions, TrainOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.datasets.one_reading import reading_once
from mmpretrain_inception.engine.hooks.terminal_hook import TerminalHook
from mmpretrain_inception.engine.runner.launch import build_runner
from mmpretrain_inception.evaluation import write_metrics
from mmpretrain_inception.utils.main_process import speaks
from mmpretrain_inception.utils.progress import slow
from mmpretrain_inception.utils.terminal_log import LOG_ONLY, for_a_person


def train(options: TrainOptions) -> None:
    """Train a model.

    Args:
        options: The config and what to change in it.

    Raises:
        UsageError: If the options do not fit the config or each other.
        InputError: If the config, the data or a checkpoint cannot be used.
    """
    options, notes = choose_config(options)
    with for_a_person(verbose=options.verbose), settings_explained(options), reading_once():
        runner, plan = _build(options, notes)
        hook = TerminalHook(lambda runner: training_screen(runner, plan), bar=not options.verbose)
        runner.register_hook(hook)
        try:
            with hook:
                runner.train()
        except SystemExit:
            _say_how_to_go_on()
            raise
        _print(training_result(runner))


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
    options, notes = find_config(options)
    with for_a_person(verbose=options.verbose), settings_explained(options), reading_once():
        chosen = [*notes]
        if options.fast:
            options, note = quicken(options)
            chosen.append(note)
        runner, plan = _build(options, chosen)
        if options.out and options.out_item != 'metrics':
            runner.test_evaluator.metrics.append(DumpResults(out_file_path=options.out))
        hook = TerminalHook(lambda runner: test_screen(runner, plan), bar=not options.verbose)
        runner.register_hook(hook)
        with hook:
            metrics: dict[str, Any] = runner.test()
        _print(table_of(metrics))
    if options.out and options.out_item == 'metrics' and is_main_process():
        write_metrics(metrics, options.out)
    return metrics


def _build(options: RunOptions, notes_before: Sequence[str] = ()) -> tuple[Runner, Any]:
    with slow(f'preparing {options.config}'):
        configured = configure(options)
        runner = build_runner(configured.cfg, testing=isinstance(options, TestOptions))
    on_screen = configured.plan.data.facts.summary() if configured.plan.data else ()
    for note in (*notes_before, *configured.notes):
        runner.logger.info(note, extra=LOG_ONLY if note in on_screen else None)
    return runner, configured.plan


def _say_how_to_go_on() -> None:
    again = same_command(*(() if '--resume' in sys.argv else ('--resume',)))
    if again is not None:
        _print([f'to go on: {again}'])


def _print(lines: Sequence[str]) -> None:
    if speaks():
        print(*lines, sep='\n', flush=True)
