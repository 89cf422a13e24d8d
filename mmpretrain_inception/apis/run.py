"""Training, once or in folds, and testing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mmengine import load
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults
from mmengine.runner import Runner

from mmpretrain_inception.apis.commands import same_command
from mmpretrain_inception.apis.fast import quicken
from mmpretrain_inception.apis.screen import table_of, test_screen, training_result, training_screen
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.default_config import choose_config, find_config
from mmpretrain_inception.configuring.folds import (
    check_folds,
    describe_folds,
    digest_of,
    summary_of_folds,
    table_of_folds,
    use_fold,
)
from mmpretrain_inception.configuring.options import RunOptions, TestOptions, TrainOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.datasets.one_reading import reading_once
from mmpretrain_inception.engine.hooks.terminal_hook import TerminalHook
from mmpretrain_inception.engine.runner.checkpoint_files import list_checkpoints
from mmpretrain_inception.engine.runner.launch import build_runner
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.evaluation import write_metrics
from mmpretrain_inception.evaluation.report import to_plain
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
    if options.folds is None:
        _train(options, notes)
    else:
        _train_folds(options, notes)


def _train(
    options: TrainOptions, notes: Sequence[str], adapt: Callable[[Config], None] | None = None
) -> dict[str, float]:
    """Train once, and return the figures of the last validation.

    Args:
        options: What the user asks for.
        notes: What there is to say before.
        adapt: Changes the complete config for a fold. Defaults to None: it is no fold.
    """
    with for_a_person(verbose=options.verbose), settings_explained(options), reading_once():
        runner, plan = _build(options, notes, adapt or (lambda cfg: None))
        hook = TerminalHook(lambda runner: training_screen(runner, plan), bar=not options.verbose)
        runner.register_hook(hook)
        try:
            with hook:
                runner.train()
                if adapt is not None and options.resume is not None:
                    # Interrupted after its last epoch, it has nothing to train and only the figures of earlier ones.
                    runner.val_loop.run()
        except SystemExit:
            _say_how_to_go_on()
            raise
        _print(training_result(runner))
    scalars = runner.message_hub.log_scalars.items()
    figures = {name[len('val/') :]: buffer.current() for name, buffer in scalars if name.startswith('val/')}
    # As files have them, so that folds of earlier calls and of this one have the same digits.
    return {name: to_plain(float(value)) for name, value in figures.items() if name not in ('time', 'data_time')}


def _train_folds(options: TrainOptions, notes: Sequence[str]) -> None:
    """Train once for each fold, except for those that an earlier call has finished, and print a table."""
    folds = check_folds(options)
    with for_a_person(verbose=options.verbose), settings_explained(options):
        complete, _, plan = configure(options)
        described = describe_folds(folds, plan.data)
    settings, root, metrics = digest_of(complete), Path(complete.work_dir), []
    _print([described])
    for fold in range(folds):
        folder = root / f'fold_{fold + 1}_of_{folds}'
        done = folder / 'metrics.json'
        _print([f'fold {fold + 1} of {folds}: {folder}{", trained before" if done.is_file() else ""}'])
        if not done.is_file():
            resume = 'auto' if list_checkpoints(folder) else None
            chosen = {key: value for key, value in (options.cfg_options or {}).items() if key != 'work_dir'}
            once = replace(options, folds=None, work_dir=str(folder), resume=resume, cfg_options=chosen)
            found = _train(once, notes if not fold else (), partial(use_fold, fold=fold, folds=folds))
            if is_main_process():
                write_metrics(dict(settings=settings, metrics=found), done)
            metrics.append(found)
            continue
        kept = load(done)
        if kept['settings'] != settings:
            raise InputError(f'{folder} was trained with other settings; use another --work-dir, or remove it')
        metrics.append(kept['metrics'])
    if is_main_process():
        write_metrics(summary_of_folds(metrics), root / 'folds.json')
    _print(list(table_of_folds(metrics)))


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


def _build(
    options: RunOptions, notes_before: Sequence[str] = (), adapt: Callable[[Config], None] = lambda cfg: None
) -> tuple[Runner, Any]:
    with slow(f'preparing {options.config}'):
        configured = configure(options)
        adapt(configured.cfg)
        runner = build_runner(configured.cfg, testing=isinstance(options, TestOptions))
    on_screen = configured.plan.data.facts.summary() if configured.plan.data else ()
    for note in (*notes_before, *configured.notes):
        runner.logger.info(note, extra=LOG_ONLY if note in on_screen else None)
    return runner, configured.plan


def _say_how_to_go_on() -> None:
    goes_on_itself = any(argument in ('--resume', '--folds') for argument in sys.argv)
    again = same_command(*(() if goes_on_itself else ('--resume',)))
    if again is not None:
        _print([f'to go on: {again}'])


def _print(lines: Sequence[str]) -> None:
    if speaks():
        print(*lines, sep='\n', flush=True)
