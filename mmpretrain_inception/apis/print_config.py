"""The config that a training runs, and what differs between two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from mmengine.config import Config

from mmpretrain_inception.configuring.check_options import without_variables
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.default_config import choose_config
from mmpretrain_inception.configuring.options import TrainOptions
from mmpretrain_inception.configuring.reading import read_config
from mmpretrain_inception.configuring.values import GROUPS

_ABSENT = object()


def final_config(options: TrainOptions) -> tuple[Config, tuple[str, ...]]:
    """Return the config that ``tools/train.py`` would run, as it would dump it.

    Names that only the text of the file uses are left out. A config that does not train, or that needs data and has
    none, is returned as it is read, with the options applied.

    Args:
        options: The options of the training.

    Returns:
        The config, and notes for the user.

    Raises:
        UsageError: If the options do not fit the config or each other.
        InputError: If the config or the data cannot be used.
    """
    options, chosen = choose_config(options)
    cfg, notes = read_config(options)
    missing = _what_is_missing(options, cfg)
    if missing:
        return without_variables(cfg), (*chosen, *notes, missing)
    complete = configure(options)
    return without_variables(complete.cfg), (*chosen, *complete.notes)


def differences(options: TrainOptions, other: str) -> Iterator[tuple[str, Any, Any]]:
    """Yield what an option or another file changes.

    Args:
        options: The options of a training.
        other: The config to compare with, without options. Empty: the same file.

    Yields:
        Dotted name, value in ``other`` and value with the options; None stands for a setting that is not there.

    Raises:
        UsageError, InputError: As :func:`final_config`.
    """
    options, _ = choose_config(options)
    plain = TrainOptions(other or options.config)
    new, old = read_config(options).cfg, read_config(plain).cfg
    if 'image_folder' in old:
        plain = replace(plain, data=options.data, val_share=options.val_share)
    if not (_what_is_missing(options, new) or _what_is_missing(plain, old)):
        # Without options, each config would have a folder of its own name.
        new, old = configure(options).cfg, configure(replace(plain, work_dir=options.work_dir)).cfg
    before, after = (dict(_leaves(without_variables(cfg).to_dict(), '')) for cfg in (old, new))
    for key in dict.fromkeys((*before, *after)):
        if before.get(key, _ABSENT) != after.get(key, _ABSENT):
            yield key, before.get(key), after.get(key)


def _what_is_missing(options: TrainOptions, cfg: Config) -> str | None:
    if any(cfg.get(part) is None for part in GROUPS['train']):
        return 'this config does not train; it is shown as it is read'
    if 'image_folder' in cfg and cfg.image_folder is None and options.data is None:
        return 'without --data, folders and classes are not filled in'
    return None


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    """Yield all values of a config that hold no others, by dotted names."""
    parts = (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    )
    inner = [(f'{key}.{name}' if key else str(name), part) for name, part in parts]
    # A list of numbers is one value.
    if not inner or not (isinstance(value, Mapping) or any(isinstance(part, Mapping) for _, part in inner)):
        yield key, value
        return
    for name, part in inner:
        yield from _leaves(part, name)
