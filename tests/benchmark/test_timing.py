from itertools import count
from types import SimpleNamespace

import pytest

from mmpretrain_inception.benchmark import timing
from mmpretrain_inception.benchmark.timing import Step, summarize, time_interleaved


def test_steps_run_once_a_round_in_changing_order_and_the_first_run_of_each_is_not_measured(monkeypatch):
    order, now = [], [0]
    monkeypatch.setattr(timing, 'time', SimpleNamespace(perf_counter=lambda: now[0], sleep=lambda _: None))

    def step(name, seconds):
        runs = count()

        def run():
            order.append(name)
            now[0] += seconds if next(runs) else 100

        return Step(name, 8, run)

    seconds = time_interleaved([step('first', 1), step('second', 2), step('third', 3)], rounds=7)

    rounds = [tuple(order[start : start + 3]) for start in range(0, 24, 3)]
    assert all(sorted(names) == ['first', 'second', 'third'] for names in rounds)
    assert len(set(rounds)) > 1
    assert seconds == [[1] * 7, [2] * 7, [3] * 7]


def test_the_ratio_is_that_within_a_round_so_that_a_slow_round_of_the_machine_does_not_count():
    steps = [Step('first', 8, list), Step('second', 8, list)]
    # The machine is ten times slower in the last two of five rounds.
    speeds = summarize(steps, [[1, 1, 1, 10, 10], [0.5, 0.5, 0.5, 5, 5]])

    assert [speed.ratio for speed in speeds] == pytest.approx([1, 2])
    assert speeds[1] == pytest.approx((16, 1.6, 16, 2))
