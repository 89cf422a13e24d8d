"""A sweep over learning rates, to find one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner

# How much of the loss so far is kept, and how far above its lowest value the sweep ends.
_SMOOTHING, _DIVERGED = 0.9, 4.0
# The first losses are too noisy to judge; together they are what the loss has to fall below, by a hundredth.
_LEFT_OUT, _FALL = 5, 0.99


class LRSweepHook(Hook):
    """Raise the learning rate exponentially from batch to batch, and note the loss (Smith, arXiv:1506.01186).

    The sweep ends before its last step once the smoothed loss is four times its lowest value, or is not finite.
    Parameter groups keep the ratio of their rates.

    Args:
        start: Rate of the first batch.
        end: Rate of the last batch.
        steps: Number of batches.

    Attributes:
        rates: The rates so far.
        losses: The smoothed loss of each.
    """

    # After those that schedule, before the step.
    priority = 'VERY_LOW'

    def __init__(self, start: float, end: float, steps: int) -> None:
        self._start, self._growth = start, (end / start) ** (1 / (steps - 1))
        self._average = 0.0
        self._ratios: list[float] = []
        self.rates: list[float] = []
        self.losses: list[float] = []

    def before_train(self, runner: Runner) -> None:
        """Note the ratios of the groups."""
        rates = [group['lr'] for group in runner.optim_wrapper.optimizer.param_groups]
        self._ratios = [rate / max(rates) for rate in rates]

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Set the rate of this batch."""
        rate = self._start * self._growth**runner.iter
        for group, ratio in zip(runner.optim_wrapper.optimizer.param_groups, self._ratios):
            group['lr'] = rate * ratio
        self.rates.append(rate)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Note the loss, and end the sweep where it diverges."""
        loss = float((outputs or {})['loss'].detach())
        self._average = _SMOOTHING * self._average + (1 - _SMOOTHING) * loss
        smoothed = self._average / (1 - _SMOOTHING ** (len(self.losses) + 1))
        if not math.isfinite(loss) or (self.losses and smoothed > _DIVERGED * min(self.losses)):
            self.rates.pop()
            runner.train_loop.stop_training = True
            return
        self.losses.append(smoothed)


def best_rate(rates: list[float], losses: list[float]) -> float | None:
    """Return a tenth of the rate at which the loss is lowest, which fastai calls ``lr_min``.

    Args:
        rates: Rising rates.
        losses: The smoothed loss at each.

    Returns:
        The rate, with two digits. None if the loss falls at no rate, or there are too few.
    """
    if len(losses) < 2 * _LEFT_OUT:
        return None
    lowest = int(np.argmin(losses[_LEFT_OUT:])) + _LEFT_OUT
    before = float(np.mean(losses[:_LEFT_OUT]))
    return float(f'{rates[lowest] / 10:.2g}') if losses[lowest] < _FALL * before else None
