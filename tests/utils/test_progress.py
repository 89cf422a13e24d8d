"""The progress bar, on a terminal and elsewhere."""

import io
import re
import sys

import pytest

from mmpretrain_inception.utils import progress as module
from mmpretrain_inception.utils.progress import progress, slow


class Stream(io.StringIO):
    """A stream that is a terminal or not."""

    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Replace the clocks of the bar and of rich by one that stands still."""
    clock = Clock()
    monkeypatch.setattr(module.time, 'monotonic', clock.monotonic)
    original = module.Progress.__init__
    monkeypatch.setattr(
        module.Progress,
        '__init__',
        lambda self, *args, **options: original(self, *args, **{**options, 'get_time': clock.monotonic}),
    )
    return clock


@pytest.fixture
def streams(monkeypatch):
    """Return a function that makes standard output and error terminals, or not."""

    def make(out, err):
        monkeypatch.setattr(sys, 'stdout', Stream(out))
        monkeypatch.setattr(sys, 'stderr', Stream(err))
        monkeypatch.setenv('TERM', 'xterm')
        return sys.stdout, sys.stderr

    return make


def advance(bar, clock, steps, **figures):
    for _ in range(steps):
        clock.now += 1
        bar.advance(2, **figures)


def test_plain_lines_every_ten_seconds_and_at_the_end(clock, streams):
    out, err = streams(False, False)
    with progress('predict', total=50) as bar:
        advance(bar, clock, 25, loss=0.123456, state='fine')
    assert err.getvalue().splitlines() == [
        'predict: 20/50 images, 2 images/s, 0:00:15 left, loss 0.1235  state fine',
        'predict: 40/50 images, 2 images/s, 0:00:05 left, loss 0.1235  state fine',
        'predict: 50/50 images in 0:00:25, 2 images/s, loss 0.1235  state fine',
    ]
    assert not out.getvalue()


@pytest.mark.parametrize(
    ('options', 'last'),
    [
        pytest.param(dict(total=12e6, unit='byte'), 'get: 10.0/12.0 MB in 0:00:05, 2 MB/s', id='bytes are shown in MB'),
        pytest.param(dict(unit='byte'), 'get: 10.0 MB in 0:00:05, 2 MB/s', id='unknown total'),
        pytest.param(dict(unit='byte', show_rate=False), 'get: 10.0 MB in 0:00:05', id='no rate'),
    ],
)
def test_units(clock, streams, options, last):
    _, err = streams(False, False)
    with progress('get', **options) as bar:
        for _ in range(5):
            clock.now += 1
            bar.advance(2_000_000)
    assert err.getvalue() == f'{last}\n'


def test_time_left_of_slow_steps(clock, streams):
    _, err = streams(False, False)
    with progress('train', total=10, unit='step', show_rate=False) as bar:
        for _ in range(3):
            clock.now += 60
            bar.advance()
    assert [line.partition(', ')[2] for line in err.getvalue().splitlines()[:3]] == [
        '0:09:00 left',
        '0:08:00 left',
        '0:07:00 left',
    ]


def test_time_left_of_a_run_that_goes_on(clock, streams):
    _, err = streams(False, False)
    with progress('train', total=100, unit='step', done=80) as bar:
        advance(bar, clock, 10)
    assert err.getvalue().splitlines() == ['train: 100/100 steps in 0:00:10, 2 steps/s']


def test_on_a_terminal_it_is_drawn_again_and_again(streams, clock):
    out, err = streams(True, True)
    with progress('train', total=4, unit='step') as bar:
        advance(bar, clock, 1)
        print('epoch 1  accuracy 93.2')
        advance(bar, clock, 1, loss=0.5)
    drawn = err.getvalue()
    assert drawn.count('\r') > 2
    assert '4/4 steps' in drawn
    assert 'loss 0.5' in drawn
    # What is printed meanwhile goes through the bar, which is on the same terminal.
    assert 'epoch 1  accuracy 93.2\n' in drawn
    assert not out.getvalue()
    assert drawn.rfind('\x1b[?25h') > drawn.rfind('\x1b[?25l')


def test_what_goes_into_a_file_is_not_drawn(streams):
    out, err = streams(False, True)
    with progress('train', total=4):
        print('epoch 1')
    assert out.getvalue() == 'epoch 1\n'
    assert 'epoch 1' not in err.getvalue()


def test_without_colours(streams, monkeypatch, clock):
    monkeypatch.setenv('NO_COLOR', '1')
    _, err = streams(True, True)
    with progress('train', total=4) as bar:
        advance(bar, clock, 2)
    assert '4/4 images' in err.getvalue()
    assert not re.search('\x1b\\[[0-9;]*[3-9][0-9]m', err.getvalue())


@pytest.mark.parametrize('variable', ['RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK'])
def test_other_processes_are_silent(streams, monkeypatch, clock, variable):
    monkeypatch.setenv(variable, '1')
    _, err = streams(False, False)
    with progress('predict', total=4) as bar:
        advance(bar, clock, 2)
    assert bar.done == 4
    assert not err.getvalue()


def test_a_bar_within_a_bar_goes_when_it_is_done(clock, streams):
    _, err = streams(False, False)
    with progress('train', total=4, unit='step') as outer:
        with progress('validate', total=30) as inner:
            advance(inner, clock, 15)
        advance(outer, clock, 2)
    lines = err.getvalue().splitlines()
    assert lines[0].startswith('validate: 20/30 images, 2 images/s, 0:00:05 left')
    assert [line.partition(':')[0] for line in lines] == ['validate', 'train', 'train']


def test_an_error_leaves_the_terminal_clean(streams):
    _, err = streams(True, True)
    with pytest.raises(ZeroDivisionError), progress('train', total=4):
        1 / 0  # noqa: B018
    assert err.getvalue().endswith('\x1b[?25h')
    assert sys.stderr is err
    assert not module._displays


def test_slow_work_is_named(streams, monkeypatch):
    _, err = streams(False, False)
    monkeypatch.setattr(module, 'SLOW', 0.0)
    with slow('reading DIR'):
        import time

        until = time.perf_counter() + 5
        while not err.getvalue().endswith('\n') and time.perf_counter() < until:
            pass
    assert err.getvalue() == 'reading DIR ...\n'


def test_quick_work_is_not(streams):
    _, err = streams(False, False)
    with slow('reading DIR'):
        pass
    assert not err.getvalue()
