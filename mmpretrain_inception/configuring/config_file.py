"""Config files, and settings by dotted names."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.config.config import DELETE_KEY
from mmengine.config.lazy import LazyAttr, LazyObject
from mmengine.config.utils import ConfigParsingError
from mmengine.hub import get_config

from mmpretrain_inception.errors import InputError, UsageError

_PACKAGE = str(Path(__file__).parents[1])
# Where configs name what to build.
_TYPE_KEYS = ('type', 'runner_type')


def load_config(name: str) -> Config:
    """Read a config from a path or from a package (``mmpretrain_inception::inception_v3/...py``).

    Types that are classes, as in mmengine's lazy configs, become their full names, so that the run can dump a config
    that runs again. No two parts of the result are the same object.

    Raises:
        UsageError: If there is no such config.
        InputError: If it cannot be read.
    """
    if '::' not in name and not Path(name).is_file():
        raise UsageError(f'{name}: expected a config file, but it does not exist')
    try:
        cfg = get_config(name) if '::' in name else Config.fromfile(name)
        content = _named_types(cfg._to_lazy_dict())
    except Exception as error:
        # A config is code and may fail in any way; a config may also import this package, whose bugs are ours.
        if _is_our_bug(error):
            raise
        reason = ' '.join(str(error).split())
        if isinstance(error, ConfigParsingError) and 'mmpretrain_inception' in reason:
            reason = (
                "read_base() reads mmengine's lazy configs and those of mmpretrain_inception are text configs; inherit "
                "them by _base_ = 'mmpretrain_inception::...', or import the classes of mmpretrain_inception as types"
            )
        raise InputError(f'{name}: the config cannot be read: {type(error).__name__}: {reason}') from error
    return Config(content, cfg_text=cfg.text, filename=cfg.filename, env_variables=cfg.env_variables)


def merge_options(cfg: Config, options: Mapping[str, Any] | None) -> None:
    """Set values by dotted names in a config, in place. Values are data and never evaluated.

    Args:
        cfg: The config.
        options: Values by names such as ``model.head.num_classes`` or ``visualizer.vis_backends.0.type``. A dict is
            merged into the one that is there.

    Raises:
        UsageError: If a name leads through a setting that holds no others.
    """
    for key, value in (options or {}).items():
        set_at(cfg, key, value)


def set_at(cfg: Config, key: str, value: Any) -> None:
    """Set one value by its dotted name, as ``--cfg-options`` does.

    Raises:
        UsageError: If the name leads through a setting that holds no others.
    """
    *parents, last = key.split('.')
    place: Any = cfg._cfg_dict
    for depth, part in enumerate(parents, start=1):
        position = _position(place, part, key)
        if isinstance(place, dict) and place.get(position) is None:
            place[position] = ConfigDict()
        place = place[position]
        if not isinstance(place, (dict, list)):
            raise UsageError(
                f'--cfg-options {key}: the config has no such setting, since {".".join(parents[:depth])} is {place!r}'
            )
    position = _position(place, last, key)
    there = place.get(position) if isinstance(place, dict) else place[position]
    if isinstance(value, dict):
        value = dict(value)
        if not value.pop(DELETE_KEY, False) and isinstance(there, dict):
            value = Config._merge_a_into_b(value, there)
    place[position] = value


def get_at(cfg: Config, key: str, default: Any = None) -> Any:
    """Return the value at a dotted name, or ``default`` if there is none."""
    place: Any = cfg._cfg_dict
    for part in key.split('.'):
        if isinstance(place, dict) and part in place:
            place = place[part]
        elif isinstance(place, (list, tuple)) and part.isdigit() and int(part) < len(place):
            place = place[int(part)]
        else:
            return default
    return place


def overlap(chosen: str, key: str) -> bool:
    """Return whether one of two dotted names is the other or lies in it."""
    shorter, longer = sorted((chosen.split('.'), key.split('.')), key=len)
    return longer[: len(shorter)] == shorter


def _position(place: Any, part: str, key: str) -> Any:
    if isinstance(place, dict):
        return part
    if part.isdigit() and int(part) < len(place):
        return int(part)
    raise UsageError(
        f'--cfg-options {key}: the config has no such setting, since {part} is not one of {len(place)} positions'
    )


def _named_types(value: Any) -> Any:
    """Return a copy of a part of a config in which types are names."""
    if isinstance(value, dict):
        return {key: _name(item) if key in _TYPE_KEYS else _named_types(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_named_types, value))
    return value


def _name(kind: Any) -> Any:
    if isinstance(kind, (LazyAttr, LazyObject)):
        # An import that fails is reported with its line of the config.
        kind.build()
        return f'{kind.module}.{kind}'
    if isinstance(kind, type) and kind.__module__ not in ('__main__', 'builtins'):
        return f'{kind.__module__}.{kind.__qualname__}'
    return _named_types(kind)


def _is_our_bug(error: Exception) -> bool:
    """Return whether an error was raised by a line of this package, and not by a config or a library."""
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    return raised_in.startswith(_PACKAGE) and not isinstance(error, InputError)
