"""Timing several ways of doing the same work against one another."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

# Threads of a runtime wait for its next call in a busy loop; until they sleep they take the processor from others.
_SETTLE_SECONDS = 0.3


class Step(NamedTuple):
    """One way of doing a batch of work.

    Attributes:
        name: What the table calls it.
        images: Images that a call takes.
        run: Does the work once, and returns when it is done.
    """

    name: str
    images: int
    run: Callable[[], object]


class Speed(NamedTuple):
    """How fast a step was.

    Attributes:
        images_per_s: Median over the rounds.
        slowest: Images a second in the slowest round.
        fastest: Images a second in the fastest round.
        ratio: Median over the rounds of this step's speed by that of the first step in the same round.
    """

    images_per_s: float
    slowest: float
    fastest: float
    ratio: float


def time_interleaved(
    steps: Sequence[Step], rounds: int, after_each: Callable[[], object] = lambda: None
) -> list[list[float]]:
    """Time the steps in turn, round after round, so that what else the machine does meets all of them alike.

    Each round has an order of its own, the same in every run. Each step runs twice in its turn and is measured the
    second time: a process that waited has cold caches, and the very first run compiles and allocates.

    Args:
        steps: What to time.
        rounds: How often each runs.
        after_each: Called after each turn; for a progress bar. Defaults to nothing.

    Returns:
        Seconds: for each step one number a round.
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
            after_each()
    return seconds


def summarize(steps: Sequence[Step], seconds: Sequence[Sequence[float]]) -> list[Speed]:
    """Turn times into speeds, and compare each with the first.

    Args:
        steps: What was timed.
        seconds: What :func:`time_interleaved` returned.
    """
    speeds = [[step.images / second for second in measured] for step, measured in zip(steps, seconds)]
    return [
        Speed(median(speed), min(speed), max(speed), median(own / first for own, first in zip(speed, speeds[0])))
        for speed in speeds
    ]
