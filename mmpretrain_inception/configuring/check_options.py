"""Whether the settings of ``--cfg-options`` are settings of anything."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.known_settings import names_at_top, names_of
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.utils.wording import list_some

# Names that OpenMMLab's config files give to parts that they use further down.
_USUAL_VARIABLES = {
    'train_pipeline': 'train_dataloader.dataset.pipeline',
    'val_pipeline': 'val_dataloader.dataset.pipeline',
    'test_pipeline': 'test_dataloader.dataset.pipeline',
    'vis_backends': 'visualizer.vis_backends',
    'dataset_type': 'train_dataloader.dataset.type',
    'data_root': 'train_dataloader.dataset.data_root',
}
# Short options for settings that people look for under other names.
_SHORT = (
    (r'(.*\.)?(max_)?epochs?|max_iters?', '--epochs'),
    (r'(.*\.)?(batch_?size|bs)|samples_per_gpu', '--batch-size'),
    (r'(.*\.)?(image|img|input)_?(size|scale)|.*pipeline\.\d+\.(scale|crop_size)', '--image-size'),
    (r'(.*\.)?(lr|learning_rate)', '--lr'),
    (r'(.*\.)?seed', '--seed'),
    (r'(.*\.)?(num_)?workers|workers_per_gpu', '--workers'),
    (r'(.*\.)?(frozen_stages|freeze)', '--freeze'),
)
_MOST_NAMED = 3


def check_options(options: Any, file: Config, cfg: Config) -> None:
    """Refuse settings that neither the config nor the class behind them has.

    They would change nothing, or end in a traceback of that class.

    Args:
        options: The options of a command, with ``cfg_options``.
        file: The config as its file has it.
        cfg: The config with ``cfg_options`` applied: a class may be named there, too.

    Raises:
        UsageError: If there is such a setting, with the nearest one that there is.
    """
    for key, value in (options.cfg_options or {}).items():
        top = key.partition('.')[0]
        named = f'--cfg-options {key}={value}'
        if top not in names_at_top():
            if top not in file:
                raise UsageError(f'{named}: there is no such setting\n{_advice(options, key, 0, names_at_top(), file)}')
            if _is_variable(file, top):
                raise UsageError(
                    f'{named}: {top} is a variable of the config file; to change it here has no effect\n'
                    f'{_used_as(options, file, key)}'
                )
            # Some code of the user may read it.
            continue
        found = _first_unknown(key, file, cfg)
        if found is not None:
            depth, names = found
            raise UsageError(f'{named}: there is no such setting\n{_advice(options, key, depth, names, file)}')


def without_variables(cfg: Config) -> Config:
    """Return a config without the names at its top that only the text of its file uses."""
    kept = {key: value for key, value in cfg.items() if key in names_at_top() or not _is_variable(cfg, key)}
    return Config(kept, filename=cfg.filename)


def _first_unknown(key: str, file: Config, cfg: Config) -> tuple[int, Iterable[str]] | None:
    """Return which part of a dotted name nobody knows, with the names that there are in its place."""
    parts = key.split('.')
    for depth in range(1, len(parts)):
        place = '.'.join(parts[:depth])
        there, before = get_at(cfg, place), get_at(file, place)
        if not isinstance(there, Mapping) or (isinstance(before, Mapping) and parts[depth] in before):
            continue
        if place == 'default_hooks':
            # Hooks have names of anyone's choice.
            known = isinstance(there.get(parts[depth]), Mapping) and 'type' in there[parts[depth]]
            names: Iterable[str] | None = None if known else before or ()
        else:
            names = names_of(there, place)
        if names is not None and parts[depth] not in names:
            return depth, sorted({*names, *(before or ())} - {'_delete_', '_scope_'})
    return None


def _advice(options: Any, key: str, depth: int, names: Iterable[str], file: Config) -> str:
    """Return what a wrong setting may have been meant to be."""
    parts = key.split('.')
    near = get_close_matches(parts[depth], names, n=1, cutoff=0.7)
    if near:
        return f'did you mean {".".join([*parts[:depth], near[0], *parts[depth + 1 :]])}?'
    short = _short_option(options, key)
    places = _places_for(file, parts[-1])
    if short or places:
        return f'did you mean {" or ".join([*filter(None, [short]), *places[:_MOST_NAMED]])}?'
    if not depth:
        return 'tools/print_config.py CONFIG prints the settings of a config'
    return f'{".".join(parts[:depth])} has the settings {list_some(list(names), most=8)}'


def _short_option(options: Any, key: str) -> str | None:
    fits = (flag for pattern, flag in _SHORT if re.fullmatch(pattern, key.lower()))
    return next((flag for flag in fits if hasattr(options, flag[2:].replace('-', '_'))), None)


def _places_for(file: Config, name: str) -> list[str]:
    """Return where a config has a setting of that name, or else where it could have one."""
    parts = [below for top in file if top in names_at_top() for below in _all_below(file[top], top)]
    return [key for key, _ in parts if key.rpartition('.')[2] == name] or [
        f'{key}.{name}' for key, part in parts if isinstance(part, Mapping) and name in (names_of(part, key) or ())
    ]


def _all_below(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    yield key, value
    if isinstance(value, Mapping):
        parts: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return
    for name, part in parts:
        yield from _all_below(part, f'{key}.{name}')


def _is_variable(file: Config, name: str) -> bool:
    """Return whether a name at the top is there only for the text of the file."""
    if name.isupper() or name in _USUAL_VARIABLES:
        return True
    text = re.sub(r'#.*', '', file.text or '')
    used = re.search(rf'(?<!\w){re.escape(name)}\b(?!\s*=[^=])', text)
    return bool(used) or (isinstance(file[name], (dict, list, tuple)) and bool(list(_places_of(file, name))))


def _places_of(file: Config, name: str) -> Iterator[str]:
    """Yield where settings have the value of a variable."""
    value = file[name]
    for top in file:
        if top in names_at_top():
            yield from (
                key for key, there in _all_below(file[top], top) if type(there) is type(value) and there == value
            )


def _used_as(options: Any, file: Config, key: str) -> str:
    """Return the settings that a variable was used for."""
    name, _, rest = key.partition('.')
    places = list(_places_of(file, name))
    usual = _USUAL_VARIABLES.get(name)
    if not places and usual and get_at(file, usual) is not None:
        places = [usual]
    # A number may be that of something else.
    places = sorted(places, key=lambda place: not place.startswith('train_cfg'))
    places = [f'{place}.{rest}' if rest else place for place in places]
    short = next(filter(None, (_short_option(options, place) for place in (key, *places[:1]))), None)
    wanted = [*([short] if short else []), *places[:_MOST_NAMED]]
    return f'use {" or ".join(wanted)}' if wanted else 'set what the file computes from it, or change the file'
