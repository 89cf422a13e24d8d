"""The short options: one name for each setting that everyone changes, and for all that has to move with it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from copy import deepcopy
from itertools import chain
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.config.config import DELETE_KEY
from mmengine.hooks import EarlyStoppingHook

from mmpretrain_inception.configuring.config_file import get_at, overlap, set_at
from mmpretrain_inception.configuring.image_size import PHASES, resize_images
from mmpretrain_inception.configuring.run_length import four_digits, resize_averages, schedulers_of, set_length
from mmpretrain_inception.configuring.short import Meaning, Short
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.registry import HOOKS, MODELS, is_kind, resolve

# Rates of schedules that are not factors.
_RATES = ('eta_min', 'eta_max')


class ShortSetting(NamedTuple):
    """A setting of a short option.

    Attributes:
        value: The value.
        option: The option as the user gave it.
        main: Whether the option is about this setting. Otherwise the setting follows it.
    """

    value: Any
    option: str
    main: bool


class ShortSettings(NamedTuple):
    """What the short options of a command mean for a config.

    Attributes:
        settings: By dotted names.
        notes: What may surprise, one line each.
    """

    settings: Mapping[str, ShortSetting]
    notes: tuple[str, ...]


def short_settings(options: Any, cfg: Config) -> ShortSettings:
    """Return what the short options mean for a config.

    Args:
        options: The options of a command, with some or all of the short ones.
        cfg: The config as its file has it.

    Raises:
        UsageError: If a value is none of what is expected, or the config has no place for it.
    """
    given = [(short, getattr(options, short.field, None)) for short in SHORT_OPTIONS]
    given = [(short, value) for short, value in given if value is not None]
    cfg = deepcopy(cfg) if given else cfg
    settings: dict[str, ShortSetting] = {}
    notes: list[str] = []
    for short, value in given:
        if not short.fits(value):
            raise UsageError(f'{short.flag} {value}: expected {short.words}')
        meaning = short.meaning(cfg, value)
        for main, part in ((True, meaning.main), (False, meaning.follows)):
            for key, new in part.items():
                set_at(cfg, key, new)
                settings[key] = ShortSetting(new, f'{short.flag} {value}', main)
        notes += meaning.notes
    return ShortSettings(settings, tuple(notes))


def merge_short(cfg: Config, short: ShortSettings, cfg_options: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Write the settings of short options into a config, in place, except what ``cfg_options`` set.

    Args:
        cfg: The config, with ``cfg_options`` applied.
        short: The settings.
        cfg_options: What the user set by dotted names.

    Returns:
        Notes for the user: those of the options, and what ``cfg_options`` set instead.

    Raises:
        UsageError: If ``cfg_options`` contradict an option.
    """
    chosen = cfg_options or {}
    notes = list(short.notes)
    for key, (value, option, main) in short.settings.items():
        touching = [name for name in chosen if overlap(name, key)]
        if not touching:
            set_at(cfg, key, value)
        elif not _same(get_at(cfg, key), value):
            named = ' '.join(f'{name}={chosen[name]}' for name in touching)
            if main:
                raise UsageError(f'{option}: --cfg-options {named} says something else; leave one of them out')
            notes.append(
                f'{named} (--cfg-options) is used instead of {_plain(value)}, which would follow from {option}'
            )
    return tuple(notes)


def _plain(value: Any) -> Any:
    return {key: item for key, item in value.items() if key != DELETE_KEY} if isinstance(value, dict) else value


def _same(there: Any, value: Any) -> bool:
    return there == _plain(value) or (isinstance(value, tuple) and there == list(value))


def _batch_size(cfg: Config, size: int) -> Meaning:
    loaders = [f'{phase}_dataloader' for phase in PHASES if cfg.get(f'{phase}_dataloader') is not None]
    before = get_at(cfg, 'train_dataloader.batch_size')
    follows = dict(resize_averages(cfg, before / size, ('begin_iter',))) if before else {}
    return Meaning({f'{loader}.batch_size': size for loader in loaders}, follows)


def _lr(cfg: Config, rate: float) -> Meaning:
    if get_at(cfg, 'optim_wrapper.optimizer') is None:
        raise UsageError(f'--lr {rate}: expected a config with optim_wrapper.optimizer, got none')
    before = get_at(cfg, 'optim_wrapper.optimizer.lr')
    scheduled = [
        (f'{place}.{key}', scheduler[key])
        for place, scheduler in chain(*schedulers_of(cfg))
        for key in _RATES
        if before and scheduler.get(key)
    ]
    follows = {key: four_digits(value * rate / before) for key, value in scheduled}
    return Meaning({'optim_wrapper.optimizer.lr': rate}, follows)


def _seed(cfg: Config, seed: int) -> Meaning:
    return Meaning({'randomness.seed': seed})


def _workers(cfg: Config, count: int) -> Meaning:
    loaders = {name: cfg.get(name) for name in (f'{phase}_dataloader' for phase in PHASES) if cfg.get(name) is not None}
    # torch prefetches with workers only.
    prefetching = [name for name, loader in loaders.items() if not count and loader.get('prefetch_factor') is not None]
    return Meaning(
        {f'{name}.num_workers': count for name in loaders}, {f'{name}.prefetch_factor': None for name in prefetching}
    )


def _freeze(cfg: Config, stage: Any) -> Meaning:
    name = get_at(cfg, 'model.backbone.type')
    kind: Any = resolve(name, MODELS)
    if kind is None or 'frozen_stages' not in inspect.signature(kind).parameters:
        raise UsageError(f'--freeze {stage}: expected a backbone with frozen_stages, got {name}')
    numbers = {part.name: number for number, part in enumerate(getattr(kind, 'stages', ()))}
    if numbers:
        numbers['all'] = len(numbers) - 1
    number = int(stage) if str(stage).isdigit() else numbers.get(str(stage))
    if number is None or (numbers and number > numbers['all']):
        listed = ', '.join(f'{number} {name}' for name, number in numbers.items() if name != 'all')
        raise UsageError(f'--freeze {stage}: expected {f"a stage of {listed}, or all" if numbers else "a number"}')
    return Meaning({'model.backbone.frozen_stages': number})


def _save_every(cfg: Config, interval: int) -> Meaning:
    if get_at(cfg, 'default_hooks.checkpoint') is None:
        raise UsageError(f'--save-every {interval}: expected a config with default_hooks.checkpoint, got none')
    training = cfg.get('train_cfg') or {}
    by_epoch = training.get('by_epoch', 'max_iters' not in training)
    counts_otherwise = get_at(cfg, 'default_hooks.checkpoint.by_epoch', True) is not by_epoch
    unit = {'default_hooks.checkpoint.by_epoch': by_epoch} if counts_otherwise else {}
    return Meaning({'default_hooks.checkpoint.interval': interval, **unit})


def _patience(cfg: Config, patience: int) -> Meaning:
    if any(cfg.get(part) is None for part in ('val_cfg', 'val_dataloader', 'val_evaluator')):
        raise UsageError(f'--patience {patience}: expected a config that validates, but this one does not')
    for index, hook in enumerate(cfg.get('custom_hooks') or ()):
        if is_kind(hook, EarlyStoppingHook, HOOKS):
            return Meaning({f'custom_hooks.{index}.patience': patience})
    hook = dict(type='mmpretrain_inception.EarlyStopHook', patience=patience)
    return Meaning({f'default_hooks.early_stop.{key}': value for key, value in hook.items()})


def _balance(cfg: Config, balance: bool) -> Meaning:
    return Meaning({'default_hooks.class_weights.type': 'mmpretrain_inception.ClassWeightHook'} if balance else {})


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_rate(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float('inf')


# In the order in which they are applied: --epochs turns runs that count iterations into ones that count epochs.
SHORT_OPTIONS: tuple[Short, ...] = (
    Short('epochs', 'a whole number of at least 1', _whole(1), set_length),
    Short('batch_size', 'a whole number of at least 1', _whole(1), _batch_size),
    Short('image_size', 'H or HxW in pixels', lambda value: True, resize_images),
    Short('lr', 'a number above 0', _is_rate, _lr),
    Short('seed', 'a whole number of at least 0', _whole(0), _seed),
    Short('workers', 'a whole number of at least 0', _whole(0), _workers),
    Short('freeze', 'a stage', lambda value: True, _freeze),
    Short('save_every', 'a whole number of at least 1', _whole(1), _save_every),
    Short('patience', 'a whole number of at least 1', _whole(1), _patience),
    Short('balance', 'True or False', lambda value: isinstance(value, bool), _balance),
)
