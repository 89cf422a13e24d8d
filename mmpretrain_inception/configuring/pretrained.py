"""From names of published weights to addresses and their publisher's preprocessing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import get_at, load_config
from mmpretrain_inception.configuring.trained_data import contract_of_source
from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.from_config import checkpoint_contract
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.models import InceptionV3
from mmpretrain_inception.registry import MODELS, is_kind
from mmpretrain_inception.utils.addresses import is_address
from mmpretrain_inception.weights.files.opener import fetch
from mmpretrain_inception.weights.published import find, nearest, published_names

# What --weights takes for no weights at all.
NONE = 'none'
_PAD = 'count_include_pad'
_DEFAULTS = {_PAD: True}
# What a checkpoint and a config have to have in common beyond that.
_STEPS: dict[str, Callable[[Contract], str]] = {
    'images of': lambda contract: f'{contract.height} x {contract.width} px',
    'channels in the order': lambda contract: contract.channel_order,
}
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


def obtain(source: str) -> str:
    """Do as :func:`locate`, and download what has to be downloaded, before anything is built.

    Raises:
        InputError: As there, or if the download fails.
    """
    place = locate(source)
    if is_address(place):
        fetch(place)
    return place


def plan_start(
    weights: str | None, cfg: Config, cfg_options: Mapping[str, Any], *, resumed: str | None = None
) -> dict[str, Any]:
    """Return what training starts from and what goes with it, as values by dotted names of the config.

    What has to be downloaded is downloaded here, before anything is built.

    Args:
        weights: ``--weights``: a name, file, address or ``none``. None: what the config says.
        cfg: The config.
        cfg_options: What the user set by ``--cfg-options``.
        resumed: The checkpoint of an earlier run that goes on, which needs no other weights; '' if it is not known yet.
            Defaults to None: a new run.

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
    place = obtain(str(source)) if resumed is None else locate(str(source))
    if weights is not None and not is_address(place):
        path = Path(place).expanduser()
        if not path.is_file():
            raise InputError(f'--weights {weights}: expected a file, address, {NONE} or {", ".join(published_names())}')
        place = str(path.absolute())
    start = {} if place == cfg.get('load_from') else dict(load_from=place)
    if weights is None:
        return start
    # What a file expected, a run that started from it still knows.
    expecting = weights if resumed is None or weights in published_names() else resumed
    return {**start, **_changes(expecting, cfg)}


def preprocessing_of(source: str) -> dict[str, Any]:
    """Return how weights expect their images: ``mean``, ``std`` and ``count_include_pad``, as far as that is known.

    Published weights expect what their publisher does, and checkpoints of ours say what they were trained with.

    Args:
        source: What the user calls the weights. What cannot be read says nothing; loading it reports what is wrong.
    """
    if source in published_names():
        theirs = load_config(str(find(source).config))
        backbone, statistics = theirs.model.backbone, theirs.data_preprocessor
        expected = {name: list(statistics[name]) for name in ('mean', 'std')}
        return {**expected, _PAD: backbone.get(_PAD, True)}
    contract = contract_of_source(source)
    if contract is None or contract.network is None or contract.channel_order != 'RGB':
        return {}
    pad = (contract.network.get('backbone') or {}).get(_PAD, True)
    return {'mean': list(contract.mean), 'std': list(contract.std), _PAD: pad}


def _places(cfg: Config) -> dict[str, str]:
    """Return the dotted names of the settings that :func:`preprocessing_of` returns values for."""
    if not is_kind(get_at(cfg, 'model.backbone'), InceptionV3, MODELS):
        return {}
    places = {_PAD: f'model.backbone.{_PAD}'}
    # Images of one band, or of more than three, have statistics of their own.
    if get_at(cfg, 'model.backbone.in_channels', 3) == 3:
        key = 'model.data_preprocessor' if get_at(cfg, 'model.data_preprocessor') else 'data_preprocessor'
        places |= {name: f'{key}.{name}' for name in ('mean', 'std')}
    return places


def _changes(source: str, cfg: Config) -> dict[str, Any]:
    """Return the settings of a config that differ from what weights expect, by their dotted names."""
    places = _places(cfg)
    expected = preprocessing_of(source) if places else {}
    return {
        place: expected[name]
        for name, place in places.items()
        if name in expected and _differ(get_at(cfg, place, _DEFAULTS.get(name)), expected[name])
    }


def _differ(value: Any, other: Any) -> bool:
    # The values of a config may be tuples or whole numbers.
    return not np.array_equal(np.asarray(value), np.asarray(other))


def check_resumed_preprocessing(checkpoint: str, cfg: Config, start: Mapping[str, Any]) -> None:
    """Refuse to resume a run with another preprocessing, as after ``--weights`` that are not named again.

    Args:
        checkpoint: What is resumed from.
        cfg: The config.
        start: What :func:`plan_start` returned.

    Raises:
        InputError: If the checkpoint was trained with another.
    """
    places = _places(cfg)
    before = preprocessing_of(checkpoint) if places else {}
    for name, place in places.items():
        now = start.get(place, get_at(cfg, place, _DEFAULTS.get(name)))
        if name in before and _differ(now, before[name]):
            raise InputError(
                f'{checkpoint}: {place} is {before[name]} in the checkpoint and {now} in this run; --resume needs the '
                'same settings\nname the --weights that training started from, or set it as it was'
            )


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


def remark_on_preprocessing(source: str, cfg: Config, *, resized: bool = False) -> list[str]:
    """Return a line for each way in which a config prepares images otherwise than weights expect.

    Args:
        source: What the user calls the weights.
        cfg: The config.
        resized: Whether the user asked for another image size. Defaults to False.
    """
    if not source:
        return []
    return [*_remark_on_values(source, cfg), *([] if resized else _remark_on_steps(source, cfg))]


def _remark_on_values(source: str, cfg: Config) -> list[str]:
    others = _changes(source, cfg)
    if not others:
        return []
    values = ' '.join(f'{name}={value}' for name, value in others.items())
    named = f', as in {find(source).config.name}' if source in published_names() else ''
    return [f'{source} expects {values}{named}; this config has another value']


def _remark_on_steps(source: str, cfg: Config) -> list[str]:
    """Compare decoding, resizing, cropping and channel order of a checkpoint of ours."""
    theirs = contract_of_source(source)
    ours = None if theirs is None else checkpoint_contract(cfg)[0]
    if theirs is None or ours is None:
        return []
    for what, value in _STEPS.items():
        if value(theirs) != value(ours):
            return [f'{source} expects {what} {value(theirs)}; this config has {value(ours)}']
    for expected, found in zip_longest(theirs.preparation or (), ours.preparation or ()):
        if expected != found:
            return [f'{source} expects images prepared by {_shown(expected)}; this config has {_shown(found)}']
    return []


def _shown(step: Mapping[str, Any] | None) -> str:
    return ' '.join(f'{name}={value}' for name, value in step.items()) if step else 'no further step'
