from itertools import count
from types import SimpleNamespace

import pytest

from benchmarks.speed import timing
from benchmarks.speed.timing import Step, summarize, time_interleaved


def test_steps_take_turns_in_changing_order_and_are_measured_when_they_are_warm(monkeypatch):
    order, now = [], [0]
    monkeypatch.setattr(timing, 'time', SimpleNamespace(perf_counter=lambda: now[0], sleep=lambda _: None))

    def step(name, seconds):
        runs = count()

        def run():
            order.append(name)
            now[0] += seconds if next(runs) % 2 else 100

        return Step(name, 8, run)

    shown = []
    steps = [step('first', 1), step('second', 2), step('third', 3)]
    seconds = time_interleaved(steps, 7, lambda step, seconds: shown.append((step.name, seconds)))

    rounds = [tuple(order[start : start + 6]) for start in range(0, 42, 6)]
    assert all(sorted(names[::2]) == ['first', 'second', 'third'] and names[::2] == names[1::2] for names in rounds)
    assert len(set(rounds)) > 1
    assert sorted(shown) == sorted([('first', 1), ('second', 2), ('third', 3)] * 7)
    assert seconds == [[1] * 7, [2] * 7, [3] * 7]


def test_the_ratio_is_that_within_a_round_so_that_a_slow_round_of_the_machine_does_not_count():
    steps = [Step('first', 8, list), Step('second', 8, list)]
    # The machine is ten times slower in the last two of five rounds.
    speeds = summarize(steps, [[1, 1, 1, 10, 10], [0.5, 0.5, 0.5, 5, 5]])

    assert [speed.ratio for speed in speeds] == pytest.approx([1, 2])
    assert speeds[1] == pytest.approx((16, 1.6, 16, 2))
