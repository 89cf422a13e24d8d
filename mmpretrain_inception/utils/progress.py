"""The progress bar of all commands."""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from mmpretrain_inception.utils.main_process import speaks
from mmpretrain_inception.utils.wording import printable

# Seconds between two drawings of the bar, between two lines where there is no terminal, and until something is slow.
REDRAW, LINE, SLOW = 0.2, 10.0, 3.0
# A terminal of fewer columns has no room for the bar beside its numbers.
_WIDE = 100


class _Unit(NamedTuple):
    """How counts of something are written: the name of several, what to divide by, and digits after the point."""

    name: str
    divisor: float = 1.0
    digits: int = 0


_UNITS = {'byte': _Unit('MB', 1e6, 1)}


class Bar:
    """What :func:`progress` gives. It draws itself when it is advanced and that is due.

    It has no thread of its own: processes that load data are forked at any time, and a lock that a thread held in that
    moment would stay locked in them.
    """

    def __init__(
        self, display: Progress, title: str, total: float | None, unit: str, done: float, show_rate: bool
    ) -> None:
        self._display, self._show_rate = display, show_rate
        self._unit = _UNITS.get(unit, _Unit(f'{unit}s'))
        self._figures: dict[str, object] = {}
        self._pending, self._done_before = 0.0, done
        self._id = display.add_task(
            printable(title), total=total, completed=cast('int', done), count='', pace='', figures=''
        )
        self._line_at = time.monotonic()
        self._draw()

    def advance(self, count: float = 1, **figures: object) -> None:
        """Count what was done.

        Args:
            count: How much. Defaults to 1.
            **figures: What to show beside the bar, such as ``loss=0.53``; numbers get four digits. Each stays until it
                is replaced; None removes it.
        """
        self._pending += count
        self._figures.update(figures)
        if time.monotonic() - self._drawn_at >= REDRAW:
            self._draw()

    def describe(self, title: str, total: float | None = None) -> None:
        """Change the text before the bar, and how much there is to do once that is known."""
        self._display.update(self._id, description=printable(title), total=total)
        self._draw()

    @property
    def done(self) -> float:
        """What was counted so far."""
        return self._task.completed + self._pending

    @property
    def drawn(self) -> bool:
        """Whether the bar is on a terminal, where every change of it is seen."""
        return not self._display.disable

    @property
    def _task(self) -> Task:
        return self._display._tasks[self._id]

    def _draw(self) -> None:
        self._drawn_at = time.monotonic()
        self._display.advance(self._id, self._pending)
        self._pending = 0.0
        pace = _joined(self._rate(), self._time())
        self._display.update(self._id, count=self._count(), pace=pace, figures=self._noted())
        self._display.refresh()
        due = self._drawn_at - self._line_at >= LINE and not self._task.finished
        if due and isinstance(self._display, _Lines):
            self._line_at = self._drawn_at
            self._write(self._count(), pace, self._noted())

    def _end(self) -> None:
        self._draw()
        if isinstance(self._display, _Lines) and self._task.completed:
            taken = f'{self._count()} in {clock(self._task.elapsed)}'
            self._write(taken, self._rate(), self._noted())

    def _write(self, *parts: str) -> None:
        print(f'{self._task.description}: {_joined(*parts)}', file=sys.stderr, flush=True)

    def _count(self) -> str:
        _, divisor, digits = self._unit
        done, total = self._task.completed / divisor, self._task.total
        of = '' if total is None else f'/{total / divisor:,.{digits}f}'
        return f'{done:,.{digits}f}{of} {self._unit.name}'

    def _speed(self) -> float:
        """Return how many a second: in the last half minute; in all the time at the end, and where each is slow."""
        task = self._task
        recent = None if task.finished else task.speed
        return recent or (task.completed - self._done_before) / (task.elapsed or math.inf)

    def _rate(self) -> str:
        speed = self._speed()
        return f'{speed / self._unit.divisor:,.3g} {self._unit.name}/s' if self._show_rate and speed else ''

    def _time(self) -> str:
        speed, left = self._speed(), self._task.remaining
        if self._task.finished:
            return clock(self._task.elapsed)
        return f'{clock(left / speed)} left' if left is not None and speed else ''

    def _noted(self) -> str:
        shown = ((name, value) for name, value in self._figures.items() if value is not None)
        return '  '.join(f'{name} {_figure(value)}' for name, value in shown)


class _Lines(Progress):
    """Counts, and leaves the lines to the bar."""

    def __init__(self) -> None:
        super().__init__(disable=True)


class _Field(ProgressColumn):
    """A column with a text that the bar has made, as it stands: without markup, and cut where the line ends."""

    def __init__(self, name: str, style: str = '') -> None:
        super().__init__(Column(no_wrap=True))
        self._name, self._style = name, style

    def render(self, task: Task) -> Text:
        """Return the text."""
        return Text(task.description if self._name == 'title' else task.fields[self._name], self._style)


_displays: list[Progress] = []


@contextmanager
def progress(
    title: str,
    total: float | None = None,
    unit: str = 'image',
    *,
    done: float = 0.0,
    show_rate: bool = True,
    show: bool = True,
) -> Iterator[Bar]:
    """Show on standard error how far something is: count, total, rate, time left, and figures.

    On a terminal that is one line, drawn again and again; elsewhere a line every ten seconds, and one at the end. Only
    the first process of a distributed run shows it. A bar inside another one is a second line, which goes when it is
    done. What is printed meanwhile stands above the bars.

    Example:
        >>> with progress('predict', total=len(files), unit='image') as bar:
        ...     for batch in batches:
        ...         bar.advance(len(batch), accuracy=accuracy)

    Args:
        title: What is being done, in a word or two.
        total: How much there is to do. Defaults to None: not known.
        unit: What is counted, in the singular. Defaults to ``image``. ``byte`` is shown in MB.
        done: How much of it was done before. Defaults to 0.
        show_rate: Whether to show how many a second. Defaults to True.
        show: Whether to show anything. Defaults to True.

    Yields:
        The bar to advance, from this thread.
    """
    if not (show and speaks()):
        yield Bar(Progress(disable=True), title, total, unit, done, show_rate)
        return
    outermost = not _displays
    if outermost:
        _displays.append(_new_display())
        _displays[0].start()
        # A process that is killed could not bring the cursor back.
        _displays[0].console.show_cursor(True)
    bar = Bar(_displays[0], title, total, unit, done, show_rate)
    try:
        yield bar
        # An error says itself how it ended.
        if outermost:
            bar._end()
    finally:
        if outermost:
            _displays.pop().stop()
        else:
            _displays[0].remove_task(bar._id)
            _displays[0].refresh()


def _new_display() -> Progress:
    if not is_terminal(sys.stderr):
        return _Lines()
    console = Console(stderr=True, force_terminal=True, highlight=False)
    columns: list[ProgressColumn] = [_Field('title', 'bold'), _Field('count'), _Field('pace'), _Field('figures')]
    if console.width >= _WIDE:
        columns.insert(1, BarColumn(bar_width=24))
    # What goes into a file is not drawn on the terminal.
    return Progress(*columns, console=console, auto_refresh=False, redirect_stdout=is_terminal(sys.stdout))


def is_terminal(stream: object) -> bool:
    """Return whether a stream is a terminal on which a line can be drawn again."""
    isatty = getattr(stream, 'isatty', None)
    return bool(isatty and isatty()) and os.environ.get('TERM', '') not in ('dumb', 'unknown')


@contextmanager
def slow(what: str) -> Iterator[None]:
    """Say on standard error what is being done if it takes more than three seconds.

    Args:
        what: For example ``reading the files of DIR``.
    """
    timer = threading.Timer(SLOW, lambda: print(f'{printable(what)} ...', file=sys.stderr, flush=True))
    timer.daemon = True
    if speaks():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _joined(*parts: str) -> str:
    return ', '.join(part for part in parts if part)


def clock(seconds: float | None) -> str:
    """Return a time as hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds or 0.0)))


def _figure(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else printable(value)
