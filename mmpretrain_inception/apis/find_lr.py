"""Finding a learning rate by a sweep."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import NamedTuple

from matplotlib.figure import Figure
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process

from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.default_config import choose_config
from mmpretrain_inception.configuring.options import TrainOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.datasets.one_reading import reading_once
from mmpretrain_inception.engine.hooks.lr_sweep_hook import BestRate, LRSweepHook, best_rate, smooth
from mmpretrain_inception.engine.runner.launch import build_runner
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.utils.atomic_file import atomic_path
from mmpretrain_inception.utils.progress import slow
from mmpretrain_inception.utils.terminal_log import for_a_person

# Hooks that save, or that end a run for what a sweep is for.
_LEFT_OUT = ('finite_loss', 'early_stop', 'visualization', 'contract')


class FoundRate(NamedTuple):
    """The result of :func:`find_lr`.

    Attributes:
        rate: The learning rate at which the loss falls most steeply, or what
            :func:`~mmpretrain_inception.engine.hooks.lr_sweep_hook.best_rate` takes in its place.
        rule: Why that one, in a few words.
        picture: The loss over the rate, as a PNG file.
        steps: How many batches were trained before the loss diverged.
    """

    rate: float
    rule: str
    picture: Path
    steps: int


def find_lr(options: TrainOptions, start: float = 1e-6, end: float = 1.0, steps: int = 100) -> FoundRate:
    """Train a few batches at exponentially rising rates, and find where the loss falls most steeply.

    Nothing of the training is kept. The picture goes to ``lr_find.png`` in the work directory.

    Args:
        options: Those of the training that the rate is for.
        start: Rate of the first batch. Defaults to 1e-6.
        end: Rate of the last batch. Defaults to 1.
        steps: Number of batches. Defaults to 100.

    Raises:
        UsageError: If the options do not fit the config or each other.
        InputError: If the config or the data cannot be used, or the sweep shows no rate.
    """
    if not 0 < start < end:
        raise UsageError(f'--start {start} --end {end}: expected two rising numbers above 0')
    if steps < 20:
        raise UsageError(f'--steps {steps}: expected at least 20')
    options, _ = choose_config(options)
    with for_a_person(verbose=options.verbose), settings_explained(options), reading_once():
        with slow(f'preparing {options.config}'):
            cfg = configure(options).cfg
            folder = Path(cfg.work_dir)
            _only_sweep(cfg, steps)
            runner = build_runner(cfg)
        hook = LRSweepHook(start, end, steps)
        runner.register_hook(hook)
        with slow(f'training {steps} batches at rates from {start:g} to {end:g}'):
            runner.train()
    found = best_rate(hook.rates, hook.losses)
    picture = folder / 'lr_find.png'
    if is_main_process():
        _draw(hook, found, picture)
    if found is None:
        raise InputError(
            f'from {start:g} to {end:g} the loss neither falls nor rises after a while by more than single batches '
            f'scatter; see {picture}\ntry another --start or --end, more --steps than {steps}, or a larger --batch-size'
        )
    return FoundRate(*found, picture, len(hook.losses))


def _only_sweep(cfg: Config, steps: int) -> None:
    """Change a complete config so that it trains some batches and keeps nothing."""
    cfg.work_dir = str(Path(cfg.work_dir) / 'lr_find')
    cfg.train_cfg = ConfigDict(by_epoch=False, max_iters=steps, val_interval=steps + 1)
    cfg.param_scheduler = None
    # A sweep may be longer than an epoch.
    cfg.train_dataloader.sampler = ConfigDict(type='InfiniteSampler', shuffle=True)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.custom_hooks = []
    # None: mmengine would add its own.
    kept = {name: hook for name, hook in (cfg.get('default_hooks') or {}).items() if name not in _LEFT_OUT}
    cfg.default_hooks = ConfigDict(kept, checkpoint=None)


def _draw(hook: LRSweepHook, found: BestRate | None, picture: Path) -> None:
    # Chosen without pyplot, whose windows a machine without a screen cannot open.
    figure = Figure(figsize=(6, 4), layout='constrained')
    axes = figure.subplots()
    rates = hook.rates[: len(hook.losses)]
    axes.semilogx(rates, hook.losses, color='lightgrey', label='each batch')
    smoothed = smooth(hook.losses)
    axes.semilogx(rates, smoothed, label='smoothed, at most as at the start')
    if found is not None:
        axes.axvline(found.rate, color='grey', linestyle='--')
        axes.set_title(fill(f'learning rate {found.rate:g}, {found.rule}', 70), fontsize='medium')
    # A divergence would flatten all that is of interest.
    axes.set_ylim(min(hook.losses), max(smoothed) + (max(smoothed) - min(hook.losses)) / 2)
    axes.set_xlabel('learning rate')
    axes.set_ylabel('loss')
    axes.legend(loc='upper left')
    picture.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(picture) as partial:
        figure.savefig(partial, format='png', dpi=120)
