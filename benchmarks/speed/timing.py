"""Time several ways of doing the same work, compared with each other."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

# The threads of a runtime wait for the next call in a busy loop; until they sleep, they slow down others.
_SETTLE_SECONDS = 0.3


class Step(NamedTuple):
    """One way of doing a batch of work.

    Attributes:
        name: What the table calls it.
        images: Images per call.
        run: Does the work once and returns when it is done.
    """

    name: str
    images: int
    run: Callable[[], object]


class Speed(NamedTuple):
    """How fast a step was.

    Attributes:
        images_per_s: Images/s, median over the rounds.
        slowest: Images/s in the slowest round.
        fastest: Images/s in the fastest round.
        ratio: Speed divided by that of the first step in the same round, median over the rounds.
    """

    images_per_s: float
    slowest: float
    fastest: float
    ratio: float


def time_interleaved(
    steps: Sequence[Step], rounds: int, after_each: Callable[[Step, float], object] = lambda step, seconds: None
) -> list[list[float]]:
    """Time the steps in turns, round after round, so that other work on the machine affects all of them equally.

    The order changes with each round, in the same way in every run. Each step runs twice and is measured the second
    time: a process that waited has cold caches, and the very first run compiles and allocates.

    Args:
        steps: What to time.
        rounds: How often to measure each step.
        after_each: Called with each measurement, to show it. Defaults to nothing.

    Returns:
        Seconds: for each step, one number per round.
    """
    seconds: list[list[float]] = [[] for _ in steps]
    order = list(zip(steps, seconds))
    shuffle = random.Random(0).shuffle
    for _ in range(rounds):
        shuffle(order)
        for step, measured in order:
            time.sleep(_SETTLE_SECONDS)
            step.run()
            start = time.perf_counter()
            step.run()
            measured.append(time.perf_counter() - start)
            after_each(step, measured[-1])
    return seconds


def summarize(steps: Sequence[Step], seconds: Sequence[Sequence[float]]) -> list[Speed]:
    """Return the speed of each step, and compare it with the first.

    Args:
        steps: What was timed.
        seconds: What :func:`time_interleaved` returned.
    """
    speeds = [[step.images / second for second in measured] for step, measured in zip(steps, seconds)]
    return [
        Speed(median(speed), min(speed), max(speed), median(own / first for own, first in zip(speed, speeds[0])))
        for speed in speeds
    ]
