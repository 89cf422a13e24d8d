"""Reading a config file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hub import get_config

from mmpretrain_inception.errors import InputError, UsageError


def averages_parameters(hook: Mapping[str, Any]) -> bool:
    """Return whether a hook of ``custom_hooks`` is an ``EMAHook``: mmengine's, mmpretrain's or ours.

    Args:
        hook: Its config.
    """
    return str(hook.get('type', '')).endswith('EMAHook')


def merge_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Apply ``--cfg-options`` to a config, in place. Their values are data; what they replace may name code.

    Args:
        cfg: The config.
        options: Values by dotted names. None: none.

    Raises:
        UsageError: If a name leads through a setting that holds no others.
    """
    try:
        cfg.merge_from_dict(dict(options or {}))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, AssertionError) as error:
        reason = ' '.join(str(error).split())[:160]
        names = ' '.join(options or ())
        raise UsageError(f'--cfg-options {names}: the config has no such setting ({reason})') from error


def load_config(name: str) -> Config:
    """Read a config from a path or from a package (``mmpretrain_inception::inception_v3/...py``).

    Raises:
        UsageError: If there is no such config.
        InputError: If it cannot be read.
    """
    if '::' not in name and not Path(name).is_file():
        raise UsageError(f'{name}: a config file was expected, but there is none')
    try:
        return get_config(name) if '::' in name else Config.fromfile(name)
    except Exception as error:
        # A config is code, and may fail in any way.
        raise InputError(f'{name}: the config cannot be read: {type(error).__name__}: {error}') from error
