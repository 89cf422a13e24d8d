"""What the settings of a config have to be, checked before anything is built from them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.datasets import innermost_datasets
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.registry import OPTIMIZERS, resolve

PHASES = ('train', 'val', 'test')


class Expected(NamedTuple):
    """What a setting has to be.

    Attributes:
        words: For messages.
        fits: Whether a value is that.
    """

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any, kinds: type | tuple[type, ...] = (int, float)) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


_DICT = Expected('a dict', lambda value: isinstance(value, dict))
_TEXT = Expected('a text', lambda value: isinstance(value, str))
_WHOLE = Expected('a whole number', lambda value: _is_number(value, int))
_COUNT = Expected('a whole number of at least 0', lambda value: _is_number(value, int) and value >= 0)
_POSITIVE = Expected('a whole number of at least 1', lambda value: _is_number(value, int) and value >= 1)
_RATE = Expected('a number of at least 0', lambda value: _is_number(value) and value >= 0)
_RULES = Expected('greater or less', lambda value: isinstance(value, (list, tuple)) or value in ('greater', 'less'))
_LEVEL = Expected(
    'a level such as INFO or WARNING',
    lambda value: _is_number(value, int) or isinstance(logging.getLevelName(value), int),
)
_LAUNCHER = Expected('none, pytorch, slurm or mpi', lambda value: value in ('none', 'pytorch', 'slurm', 'mpi'))

# By dotted name, for settings that are there and not None.
SETTINGS: Mapping[str, Expected] = {
    'work_dir': _TEXT,
    'launcher': _LAUNCHER,
    'log_level': _LEVEL,
    'default_hooks': _DICT,
    'default_hooks.checkpoint.interval': _WHOLE,
    'default_hooks.checkpoint.max_keep_ckpts': _WHOLE,
    'default_hooks.checkpoint.rule': _RULES,
    'env_cfg': _DICT,
    'env_cfg.dist_cfg': _DICT,
    'env_cfg.mp_cfg': _DICT,
    'model.head.num_classes': _POSITIVE,
    'model.backbone.num_classes': _POSITIVE,
    'optim_wrapper.accumulative_counts': _POSITIVE,
    'optim_wrapper.optimizer': _DICT,
    'optim_wrapper.optimizer.lr': _RATE,
    'randomness': _DICT,
    'randomness.seed': _COUNT,
    'train_cfg.max_epochs': _POSITIVE,
    'train_cfg.max_iters': _POSITIVE,
    'train_cfg.val_interval': _POSITIVE,
    'train_cfg.by_epoch': Expected('True or False', lambda value: isinstance(value, bool)),
    **{f'{phase}_cfg': _DICT for phase in PHASES},
    **{f'{phase}_dataloader': _DICT for phase in PHASES},
    **{f'{phase}_dataloader.batch_size': _POSITIVE for phase in PHASES},
    **{f'{phase}_dataloader.num_workers': _COUNT for phase in PHASES},
}

# What mmengine builds, and would take a text for: it fails far away.
_BUILT = (
    *('model', 'optim_wrapper', 'param_scheduler', 'custom_hooks', 'visualizer', 'visualizer.vis_backends'),
    *('val_evaluator', 'test_evaluator'),
    *(f'{phase}_dataloader.dataset' for phase in PHASES),
)

# Of each of these, a Runner takes all or none.
GROUPS: Mapping[str, tuple[str, ...]] = {
    'train': ('train_dataloader', 'train_cfg', 'optim_wrapper'),
    'val': ('val_dataloader', 'val_cfg', 'val_evaluator'),
    'test': ('test_dataloader', 'test_cfg', 'test_evaluator'),
}


def check_values(cfg: Config, name: str) -> None:
    """Refuse settings that nothing can be built from or run with, such as a batch size of ``abc``.

    Args:
        cfg: The config, with the user's options applied.
        name: The config file, for messages.

    Raises:
        UsageError: If there is one: what was expected, what it is, and how to set it.
    """
    for key, expected in SETTINGS.items():
        value = get_at(cfg, key)
        if value is not None and not expected.fits(value):
            raise UsageError(f'{name}: expected {key} to be {expected.words}, got {value!r}')
    hooks = (f'default_hooks.{hook}' for hook in cfg.get('default_hooks') or ())
    pipelines = (f'{key}.pipeline' for phase in PHASES for key in innermost_datasets(cfg, phase))
    for key in (*_BUILT, *hooks, *pipelines):
        _check_part(cfg, key, name)
    optimizer = get_at(cfg, 'optim_wrapper.optimizer.type')
    if isinstance(optimizer, str) and resolve(optimizer, OPTIMIZERS) is None:
        raise UsageError(f'{name}: expected optim_wrapper.optimizer.type to be an optimizer, got {optimizer!r}')


def _check_part(cfg: Config, key: str, name: str) -> None:
    parts = get_at(cfg, key)
    for part in parts if isinstance(parts, (list, tuple)) else [parts]:
        if isinstance(part, (str, bytes, int, float)):
            raise UsageError(
                f'{name}: expected {key} to be a dict with a type or a list of them, got {part!r}; values of '
                f'--cfg-options are plain data, so name one setting: {key}.0.type=... or {key}.type=...'
            )


def check_groups(cfg: Config, name: str, phases: tuple[str, ...]) -> None:
    """Refuse a config that has only some of the settings that a phase needs.

    Args:
        cfg: The config, with the user's options applied.
        name: The config file, for messages.
        phases: The phases of the run.

    Raises:
        UsageError: If so. The message names the missing settings.
    """
    for phase in phases:
        missing = [key for key in GROUPS[phase] if cfg.get(key) is None]
        # Without any there is no validation.
        if missing and (phase != 'val' or len(missing) < len(GROUPS[phase])):
            needed = ', '.join(GROUPS[phase])
            raise UsageError(f'{name}: expected all of {needed}, got no {", ".join(missing)}')
