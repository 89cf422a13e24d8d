"""What a person sees of a run: a screen, a progress bar, and a line an epoch."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner

from mmpretrain_inception.engine.batches import count_images
from mmpretrain_inception.utils.main_process import speaks
from mmpretrain_inception.utils.progress import Bar, clock, progress, slow

# What the bar shows of the training log, by the names there.
_FIGURES = {'loss': 'train/loss', 'lr': 'train/lr', 'images/s': 'train/images_per_s'}


class TerminalHook(Hook):
    """Show a run on the terminal: a screen when it starts, then a bar, and a line for each epoch or validation.

    ``apis.train`` and ``apis.evaluate`` add it to their Runner; it is not for configs, whose log is mmengine's.
    It is a context manager, which ends the bar of a run that an error or a signal ended.

    Args:
        screen: Returns the lines to print when the run starts.
        bar: Whether to show bars and epochs. Defaults to True.
    """

    # After CheckpointHook, which decides what is the best, and before StopSignalHook, which may end the run.
    priority = 'VERY_LOW'

    def __init__(self, screen: Callable[[Runner], Sequence[str]], *, bar: bool = True) -> None:
        self._screen, self._shows = screen, bar and speaks()
        self._training, self._evaluation, self._first = ExitStack(), ExitStack(), ExitStack()
        self._bar: Bar | None = None
        self._images: Bar | None = None
        self._total = self._since = 0.0
        # The line of an epoch that may still be validated, and the best checkpoints before it.
        self._line = ''
        self._best: dict[str, Any] = {}

    def __enter__(self) -> TerminalHook:
        return self

    def __exit__(self, *error: Any) -> None:
        for stack in (self._first, self._evaluation, self._training):
            stack.__exit__(*error)

    def before_train(self, runner: Runner) -> None:
        """Print the screen, and start the bar."""
        _print(*self._screen(runner))
        if not self._shows:
            return
        self._best = _best_checkpoints(runner)
        shown = progress('train', runner.max_iters, 'step', done=runner.iter, show_rate=False)
        self._bar = self._training.enter_context(shown)
        if runner.iter < runner.max_iters:
            self._wait_for('reading the first images')

    def before_train_epoch(self, runner: Runner) -> None:
        """Print the line of the epoch before, which was not validated, and name this one."""
        self._since = time.monotonic()
        if self._bar is not None:
            self._print_line()
            if not self._waits:
                self._bar.describe(_position(runner, runner.epoch + 1))

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Say that the first step is under way, which takes longer than the others."""
        if self._bar is not None and self._waits:
            self._wait_for('computing the first step')

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance the bar."""
        if self._bar is None:
            return
        if self._waits:
            self._waits = False
            self._first.close()
            self._bar.describe(_position(runner, runner.epoch + 1))
        scalars = runner.message_hub.log_scalars
        self._bar.advance(1, **{name: scalars[key].current() for name, key in _FIGURES.items() if key in scalars})

    def after_train_epoch(self, runner: Runner) -> None:
        """Make the line of the epoch. Its validation is still to come, if there is one."""
        if self._bar is not None and _by_epoch(runner):
            self._line = _epoch_line(runner, time.monotonic() - self._since)

    def after_train(self, runner: Runner) -> None:
        """End the bar."""
        self._print_line()
        self._training.close()

    def before_val_epoch(self, runner: Runner) -> None:
        """Start a bar for the images of the validation."""
        self._evaluate('validate', runner.val_dataloader)

    def after_val_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance it."""
        self._count(data_batch)

    def after_val_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        """Print the figures, with a mark if they are the best so far."""
        self._evaluation.close()
        best = _best_checkpoints(runner)
        if self._shows:
            mark = '  best' if best != self._best else ''
            self._line = f'{self._line or _position(runner, runner.epoch)}  {_figures_of(metrics or {})}{mark}'
            self._print_line()
        self._best = best

    def before_test_epoch(self, runner: Runner) -> None:
        """Print the screen, and start the bar."""
        _print(*self._screen(runner))
        self._evaluate('test', runner.test_dataloader)

    def after_test_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Advance it."""
        self._count(data_batch)

    def after_test_epoch(self, runner: Runner, metrics: Mapping[str, Any] | None = None) -> None:
        """End it."""
        self._evaluation.close()

    _waits = False

    def _wait_for(self, what: str) -> None:
        """Say what the first iteration is doing: on the bar, or in a line if it takes long."""
        assert self._bar is not None
        self._waits = True
        self._first.close()
        self._bar.describe(what)
        if not self._bar.drawn:
            self._first.enter_context(slow(what))

    def _evaluate(self, title: str, loader: Any) -> None:
        if self._shows:
            self._total = len(loader.dataset)
            self._images = self._evaluation.enter_context(progress(title, self._total))

    def _count(self, batch: Any) -> None:
        if self._images is not None:
            # Several processes share the images evenly, and repeat some for that.
            images = count_images(batch) * get_world_size()
            self._images.advance(min(images, self._total - self._images.done))

    def _print_line(self) -> None:
        if self._line:
            _print(self._line)
        self._line = ''


def _print(*lines: str) -> None:
    if speaks():
        print(*lines, sep='\n', flush=True)


def _by_epoch(runner: Runner) -> bool:
    return not isinstance(runner.train_loop, IterBasedTrainLoop)


def _position(runner: Runner, epoch: int) -> str:
    if _by_epoch(runner):
        return f'epoch {epoch:{len(str(runner.max_epochs))}}/{runner.max_epochs}'
    return f'step {runner.iter:,}/{runner.max_iters:,}'


def _epoch_line(runner: Runner, seconds: float) -> str:
    line = f'{_position(runner, runner.epoch + 1)}  {clock(seconds)}'
    loss = runner.message_hub.log_scalars.get('train/loss')
    # The mean of the epoch.
    return line if loss is None else f'{line}  loss {loss.mean(len(runner.train_dataloader)):.4g}'


def _figures_of(metrics: Mapping[str, Any]) -> str:
    """Return metrics in a line, without the prefixes of their names as far as they are told apart without them."""
    short = Counter(name.rpartition('/')[2] for name in metrics)
    numbers = {
        name if short[name.rpartition('/')[2]] > 1 else name.rpartition('/')[2]: value
        for name, value in metrics.items()
        if isinstance(value, (int, float))
    }
    return '  '.join(f'{name} {value:.4g}' for name, value in numbers.items())


def _best_checkpoints(runner: Runner) -> dict[str, Any]:
    """Return the best checkpoint for each metric that is watched."""
    return {key: value for key, value in runner.message_hub.runtime_info.items() if key.startswith('best_ckpt')}
