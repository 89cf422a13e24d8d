"""A schedule, stretched or shortened to another length of the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.optim.scheduler import (
    ConstantParamScheduler,
    ExponentialParamScheduler,
    LinearParamScheduler,
    StepParamScheduler,
)

from mmpretrain_inception.registry import PARAM_SCHEDULERS, is_kind

# A warm-up keeps its length, but takes no larger share of a shorter run than this.
_MOST_WARM_UP = 0.2
_WARM_UPS = (LinearParamScheduler, ConstantParamScheduler)
# Lengths, not positions.
_LENGTHS = ('T_max', 'total_steps')
_NEVER = 10**9


@dataclass(frozen=True)
class _Length:
    """How positions of one unit, epochs or iterations, move when the run's length changes.

    Attributes:
        ratio: New length over old length.
        total: Old length in this unit. None: not known.
        warm_up: Where the warm-up ends; 0 without one.
        same_unit: Whether the new run counts in the same unit. Otherwise a warm-up keeps its share of the run.
    """

    ratio: float
    total: float | None
    warm_up: float
    same_unit: bool

    def moved(self, position: float) -> float:
        """Return where a position of the old run lies in the new one."""
        if not position or position >= _NEVER:
            return position
        if self.total is None:
            # Only a warm-up is counted in this unit.
            return position * min(1, self.ratio)
        end, warm_up = self.total * self.ratio, self._new_warm_up()
        if position <= self.warm_up:
            return position * warm_up / self.warm_up
        if self.total == self.warm_up:
            return position * self.ratio
        return warm_up + (position - self.warm_up) * (end - warm_up) / (self.total - self.warm_up)

    def _new_warm_up(self) -> float:
        assert self.total is not None
        if not self.same_unit:
            return self.warm_up * self.ratio
        share = max(_MOST_WARM_UP, self.warm_up / self.total)
        return min(self.warm_up, share * self.total * self.ratio)


def resize_schedule(
    schedulers: Sequence[Any], old: int, new: int, by_epoch: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield what changes in schedules when a run gets another length: position of each, and its new settings.

    What spans the run spans the new one, and decays reach the same rate at its end. Warm-ups keep their length, up to a
    fifth of the run. Positions within an epoch are counted in iterations (``convert_to_iter_based``).

    Args:
        schedulers: Those of one optimizer, as the config has them.
        old: Length that the schedules were made for.
        new: Length of the run, in epochs.
        by_epoch: Whether ``old`` counts epochs. Otherwise it counts iterations, and the schedules of iterations become
            schedules of epochs.
    """
    ratio = new / old
    known = {by_epoch: old}
    lengths = {unit: _length(schedulers, unit, ratio, known.get(unit), unit or by_epoch) for unit in (True, False)}
    for index, scheduler in enumerate(schedulers):
        unit = scheduler.get('by_epoch', True)
        to_epochs = unit or not by_epoch
        changed = dict(_resized(scheduler, lengths[unit], ratio, to_epochs))
        if not by_epoch and not unit:
            changed['by_epoch'] = True
        if to_epochs and any(isinstance(value, float) and key != 'gamma' for key, value in changed.items()):
            changed['convert_to_iter_based'] = True
        yield index, {key: value for key, value in changed.items() if scheduler.get(key) != value}


def _length(schedulers: Sequence[Any], unit: bool, ratio: float, total: int | None, same_unit: bool) -> _Length:
    ours = [scheduler for scheduler in schedulers if scheduler.get('by_epoch', True) is unit]
    warm_ups = [
        scheduler['end']
        for scheduler in ours
        if _is(scheduler, *_WARM_UPS) and not scheduler.get('begin') and scheduler.get('end', _NEVER) < _NEVER
    ]
    warm_up = max(warm_ups, default=0)
    ends = [scheduler.get('end', _NEVER) for scheduler in ours]
    if total is None:
        total = max((end for end in ends if warm_up < end < _NEVER), default=None)
    return _Length(ratio, total, warm_up if total is None or warm_up < total else 0, same_unit)


def _resized(scheduler: Any, length: _Length, ratio: float, to_epochs: bool) -> Iterator[tuple[str, Any]]:
    exponential = _is(scheduler, ExponentialParamScheduler)
    # Iterations are whole. An exponential decay in parts of epochs would be one of iterations.
    place = _tidy if to_epochs and not exponential else _whole
    for key in ('begin', 'end'):
        if key in scheduler:
            yield key, place(length.moved(scheduler[key]))
    begin = scheduler.get('begin', 0)
    for key in _LENGTHS:
        if scheduler.get(key) is not None:
            yield key, place(length.moved(begin + scheduler[key]) - length.moved(begin))
    for key in ('milestones', 'periods'):
        if key in scheduler:
            yield key, [_whole(position * ratio) for position in scheduler[key]]
    if exponential:
        yield 'gamma', _to_power(scheduler['gamma'], 1 / ratio)
    elif _is(scheduler, StepParamScheduler):
        step = _whole(scheduler['step_size'] * ratio)
        yield 'step_size', step
        yield 'gamma', _to_power(scheduler.get('gamma', 0.1), step / (scheduler['step_size'] * ratio))


def _to_power(gamma: float, power: float) -> float:
    """Return the factor of a decay that happens ``1 / power`` times as often and ends at the same rate."""
    return gamma if power == 1 else float(gamma**power)


def _whole(value: float) -> int:
    return max(1, round(value)) if value else 0


def _tidy(value: float) -> float:
    """Return a whole number as an int, another without digits of rounding."""
    value = round(value, 4)
    return int(value) if value == int(value) else value


def _is(scheduler: Any, *kinds: type) -> bool:
    return any(is_kind(scheduler, kind, PARAM_SCHEDULERS) for kind in kinds)
