"""Another length of a run, and what has to follow it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.config.config import DELETE_KEY
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import EMAHook

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.schedule import resize_schedule
from mmpretrain_inception.configuring.short import Meaning
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.registry import DATA_SAMPLERS, HOOKS, is_kind, resolve

# torch's default.
_NORM_MOMENTUM = 0.1
# mmengine warns above it.
_MOST_EMA_MOMENTUM = 0.5
_VAL_INTERVAL = 1000


def set_length(cfg: Config, epochs: int) -> Meaning:
    """Return what makes a config train so many epochs.

    Schedules end with the run (:func:`resize_schedule`), running averages keep their share of it, and nothing waits for
    an epoch that does not come. A config that counts iterations is turned into one that counts epochs.

    Args:
        cfg: The config.
        epochs: The number of epochs.

    Raises:
        UsageError: If the config does not say how long it trains.
    """
    training = cfg.get('train_cfg') or {}
    by_epoch = 'max_epochs' in training
    length = training.get('max_epochs' if by_epoch else 'max_iters')
    if not isinstance(length, int) or length < 1:
        raise UsageError(f'--epochs {epochs}: expected a config with train_cfg.max_epochs or max_iters, got neither')
    key = 'train_cfg.max_epochs' if by_epoch else 'train_cfg'
    settings = dict(_shorter_intervals(cfg, epochs) if by_epoch else _counted_in_epochs(cfg, length, epochs))
    main = {key: settings.pop(key)}
    for schedulers in schedulers_of(cfg):
        for index, changed in resize_schedule([part for _, part in schedulers], length, epochs, by_epoch):
            settings.update({f'{schedulers[index][0]}.{key}': value for key, value in changed.items()})
    if by_epoch:
        settings.update(resize_averages(cfg, epochs / length, ('begin_epoch', 'begin_iter')))
        return Meaning(main, settings)
    note = f'--epochs {epochs}: this config counts {length} iterations; the run counts epochs instead'
    return Meaning(main, settings, (note,))


def schedulers_of(cfg: Config) -> Iterator[list[tuple[str, Any]]]:
    """Yield the schedules of each optimizer, with their dotted names."""
    schedules = cfg.get('param_scheduler')
    several = isinstance(schedules, dict) and 'type' not in schedules
    parts = schedules if several else {'': schedules}
    for name, part in (parts or {}).items():
        key = f'param_scheduler.{name}' if several else 'param_scheduler'
        if isinstance(part, dict):
            yield [(key, part)]
        elif part:
            yield [(f'{key}.{index}', scheduler) for index, scheduler in enumerate(part)]


def resize_averages(cfg: Config, ratio: float, begins: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield what keeps running averages at their share of a run: of the weights, and of a batch norm slower than usual.

    Args:
        cfg: The config.
        ratio: New over old number of steps.
        begins: The settings of an average's start that follow it.
    """
    if ratio == 1:
        return
    for index, hook in enumerate(cfg.get('custom_hooks') or ()):
        if is_kind(hook, EMAHook, HOOKS):
            momentum = hook.get('momentum', _default_momentum(hook))
            yield f'custom_hooks.{index}.momentum', four_digits(min(_MOST_EMA_MOMENTUM, momentum / ratio))
            yield from ((f'custom_hooks.{index}.{key}', round(hook[key] * ratio)) for key in begins if hook.get(key))
    for part in ('backbone', 'head'):
        key = f'model.{part}.norm_cfg.momentum'
        momentum = get_at(cfg, key)
        if isinstance(momentum, float) and momentum < _NORM_MOMENTUM:
            yield key, four_digits(min(_NORM_MOMENTUM, momentum / ratio))


def _default_momentum(hook: Mapping[str, Any]) -> float:
    kind: Any = resolve(hook['type'], HOOKS)
    signatures = (inspect.signature(vars(base)['__init__']) for base in kind.__mro__ if '__init__' in vars(base))
    found = (own.parameters['momentum'].default for own in signatures if 'momentum' in own.parameters)
    # mmengine's hook leaves it to the average, whose default this is.
    return next(found, 0.0002)


def four_digits(value: float) -> float:
    """Return a number with four significant digits."""
    return float(f'{value:.4g}')


def _shorter_intervals(cfg: Config, epochs: int) -> Iterator[tuple[str, Any]]:
    yield 'train_cfg.max_epochs', epochs
    intervals = ['train_cfg.val_interval', 'train_cfg.val_begin']
    if get_at(cfg, 'default_hooks.checkpoint.by_epoch', True):
        intervals.append('default_hooks.checkpoint.interval')
    yield from ((key, epochs) for key in intervals if (get_at(cfg, key) or 0) > epochs)


def _counted_in_epochs(cfg: Config, iterations: int, epochs: int) -> Iterator[tuple[str, Any]]:
    """Yield what turns a run that counts iterations into one that counts epochs."""

    def in_epochs(interval: int) -> int:
        return max(1, round(interval * epochs / iterations))

    interval = in_epochs(cfg.train_cfg.get('val_interval', _VAL_INTERVAL))
    yield 'train_cfg', {'by_epoch': True, 'max_epochs': epochs, 'val_interval': interval, DELETE_KEY: True}
    hook = get_at(cfg, 'default_hooks.checkpoint')
    if hook is not None:
        counted = not hook.get('by_epoch', True) and hook.get('interval', -1) > 0
        yield 'default_hooks.checkpoint.interval', in_epochs(hook['interval']) if counted else 1
        yield 'default_hooks.checkpoint.by_epoch', True
    if cfg.get('log_processor') is not None:
        yield 'log_processor.by_epoch', True
    if is_kind(get_at(cfg, 'train_dataloader.sampler'), InfiniteSampler, DATA_SAMPLERS):
        yield 'train_dataloader.sampler.type', 'DefaultSampler'
