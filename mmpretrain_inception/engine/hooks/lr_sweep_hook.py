"""A sweep over learning rates, to find one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, median_filter

# How much of the loss so far is kept, and how far above its lowest value the sweep ends, as fastai and Lightning do.
_SMOOTHING, _DIVERGED = 0.9, 4.0
# Standard deviation of the smoothing, as a share of the sweep and in batches at least.
_WIDTH, _LEAST = 0.05, 2
# The loss has to fall below its mean over this share of the sweep, by so many times what single batches scatter by.
_START, _SEEN = 0.2, 1.5
# And it rises where it is above that mean by so many times the scatter.
_RISE = 3.0
# From the median of absolute differences to the standard deviation of normally distributed values.
_MAD = 0.6745


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
        losses: The loss of each.
    """

    # After those that schedule, before the step.
    priority = 'VERY_LOW'

    def __init__(self, start: float, end: float, steps: int) -> None:
        self._start, self._growth = start, (end / start) ** (1 / (steps - 1))
        self._average, self._lowest = 0.0, math.inf
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
        if not math.isfinite(loss) or smoothed > _DIVERGED * self._lowest:
            self.rates.pop()
            runner.train_loop.stop_training = True
            return
        self._lowest = min(self._lowest, smoothed)
        self.losses.append(loss)


def smooth(losses: Sequence[float]) -> NDArray[np.float64]:
    """Return the losses of a sweep without the noise of single batches, and without a shift to later rates.

    Args:
        losses: The loss of each batch. Those above the mean of the first fifth count as that mean, so that a
            divergence does not hide the fall before it.

    Returns:
        Averages over neighbours with Gaussian weights, whose standard deviation is a twentieth of the sweep.
    """
    values = np.asarray(losses, dtype=np.float64)
    return gaussian_filter1d(np.minimum(values, _level(values)), _width(values), mode='nearest')


class BestRate(NamedTuple):
    """What a sweep shows.

    Attributes:
        rate: The learning rate, with two digits.
        rule: Why that one, in a few words.
    """

    rate: float
    rule: str


def best_rate(rates: Sequence[float], losses: Sequence[float]) -> BestRate | None:
    """Return the rate at which the smoothed loss falls most steeply over the logarithm of the rate.

    This is the ``steep`` of fastai's and the ``suggestion`` of Lightning's learning-rate finder. A fall counts only
    where the loss is lower than at all lower rates.

    Where the loss falls by less than single batches scatter, as it may from scratch on few images, the steepest fall
    would be one of noise. Then it is a third of the rate from which on the loss rises, since the best rate is mostly
    not far below the largest that does not diverge (Bengio, arXiv:1206.5533).

    Args:
        rates: Exponentially rising rates.
        losses: The loss at each.

    Returns:
        The rate. None if the loss neither falls nor rises, rises from the first rates on, or there are too few.
    """
    values = np.asarray(losses, dtype=np.float64)
    if len(values) < 4 * _LEAST:
        return None
    # The mean of each so many batches in a row.
    window = round(2 * _width(values))
    means = np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)
    lowest = int(means.argmin())
    scatter, level = _scatter(values[: lowest + window]), _level(values)
    falls = np.gradient(np.minimum.accumulate(smooth(losses)))
    if level - means[lowest] > _SEEN * scatter and falls.min() < 0:
        return BestRate(_two_digits(rates[int(falls.argmin())]), 'where the loss falls most steeply')
    # Single batches above it do not count.
    rising = np.flatnonzero(median_filter(values, 3) > level + _RISE * scatter)
    if not len(rising) or rising[0] < _START * len(values):
        return None
    rule = 'a third of that from which on the loss rises, as it falls by less than single batches scatter'
    return BestRate(_two_digits(rates[int(rising[0])] / 3), rule)


def _two_digits(rate: float) -> float:
    return float(f'{rate:.2g}')


def _width(losses: NDArray[np.float64]) -> float:
    return max(_LEAST, _WIDTH * len(losses))


def _level(losses: NDArray[np.float64]) -> float:
    return float(losses[: math.ceil(_START * len(losses))].mean())


def _scatter(losses: NDArray[np.float64]) -> float:
    """Return the standard deviation between neighbours, which the course of the loss hardly changes."""
    return float(np.median(np.abs(np.diff(losses)))) / _MAD / math.sqrt(2)
