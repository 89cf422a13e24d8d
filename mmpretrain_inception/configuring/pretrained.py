"""From names of published weights to addresses and their publisher's preprocessing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import get_at, load_config
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.models import InceptionV3
from mmpretrain_inception.registry import MODELS, is_kind
from mmpretrain_inception.weights.files.download import is_address
from mmpretrain_inception.weights.files.opener import fetch
from mmpretrain_inception.weights.published import PublishedWeights, find, nearest, published_names

# What --weights takes for no weights at all.
NONE = 'none'
# A path with neither a folder nor an ending is rather a mistyped name.
_BARE = re.compile(r'[\w-]+')


def locate(source: str) -> str:
    """Return the address of published weights for their name, and a file or address as it is.

    Args:
        source: What the user calls the weights.

    Raises:
        InputError: If it looks like a name, but there are no weights and no file of it.
    """
    if source in published_names():
        return find(source).address
    if _BARE.fullmatch(source) and nearest(source) and not Path(source).exists():
        find(source)
    return source


def plan_start(weights: str | None, cfg: Config, cfg_options: Mapping[str, Any], *, resuming: bool) -> dict[str, Any]:
    """Return what training starts from and what goes with it, as values by dotted names of the config.

    What has to be downloaded is downloaded here, before anything is built.

    Args:
        weights: ``--weights``: a name, file, address or ``none``. None: what the config says.
        cfg: The config.
        cfg_options: What the user set by ``--cfg-options``.
        resuming: Whether the weights come from an earlier run of the same settings.

    Raises:
        UsageError: If ``--cfg-options`` name weights too.
        InputError: If there are no such weights, or they cannot be downloaded.
    """
    if weights is not None and 'load_from' in cfg_options:
        raise UsageError(
            f'--weights {weights} and --cfg-options load_from={cfg_options["load_from"]} both say what training starts '
            'from; leave one of them out'
        )
    if weights == NONE:
        return dict(load_from=None)
    source = weights or cfg.get('load_from')
    if not source:
        return {}
    place = locate(str(source))
    if is_address(place):
        if not resuming:
            fetch(place)
    elif weights is not None:
        path = Path(place).expanduser()
        if not path.is_file():
            raise InputError(f'--weights {weights}: expected a file, address, {NONE} or {", ".join(published_names())}')
        place = str(path.absolute())
    start = {} if place == cfg.get('load_from') else dict(load_from=place)
    return start if weights not in published_names() else {**start, **preprocessing_of(find(weights), cfg)}


def preprocessing_of(weights: PublishedWeights, cfg: Config) -> dict[str, Any]:
    """Return the settings of a config that have to change for published weights, by their dotted names.

    Args:
        weights: The weights.
        cfg: The config.
    """
    theirs = load_config(str(weights.config))
    key = 'model.data_preprocessor' if get_at(cfg, 'model.data_preprocessor') else 'data_preprocessor'
    names = ('mean', 'std') if get_at(cfg, key) else ('mean', 'std', 'to_rgb')
    expected = {f'{key}.{name}': theirs.data_preprocessor[name] for name in names}
    # Images of one band, or of more than three, have statistics of their own.
    if get_at(cfg, 'model.backbone.in_channels', 3) != 3:
        expected = {}
    if is_kind(get_at(cfg, 'model.backbone'), InceptionV3, MODELS):
        expected['model.backbone.count_include_pad'] = theirs.model.backbone.get('count_include_pad', True)
    defaults = {'model.backbone.count_include_pad': True}
    return {name: value for name, value in expected.items() if get_at(cfg, name, defaults.get(name)) != value}


def remark_on_names(sources: Iterable[str]) -> list[str]:
    """Return a line for each name of published weights that is also a file in the working directory."""
    both = [source for source in sources if source in published_names() and Path(source).exists()]
    return [f'{name} is the name of published weights; for the file of that name write ./{name}' for name in both]


def remark_on_unused(weights: str | None, cfg_options: Mapping[str, Any]) -> list[str]:
    """Return a line if the user names weights to start from for a run that is resumed."""
    named = f'--weights {weights}' if weights else f'load_from={cfg_options.get("load_from")}'
    if weights == NONE or not (weights or cfg_options.get('load_from')):
        return []
    return [f'--resume continues with the weights of the earlier run; {named} is not used']


def remark_on_preprocessing(source: str, cfg: Config) -> list[str]:
    """Return a line if a config prepares images otherwise than the publisher of the weights."""
    if source not in published_names():
        return []
    weights = find(source)
    others = preprocessing_of(weights, cfg)
    if not others:
        return []
    values = ' '.join(f'{name}={value}' for name, value in others.items())
    return [f'{source}: its publisher has {values}, unlike this config; {weights.config.name} has it all']
