"""The user's own images: their folder and their classes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmpretrain.datasets import CustomDataset

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.data_facts import DataFacts, gather_facts
from mmpretrain_inception.configuring.data_sides import choose_share, classes_of, dataset_settings
from mmpretrain_inception.configuring.datasets import innermost_datasets
from mmpretrain_inception.configuring.trained_data import classes_of_checkpoints, shares_of_checkpoints
from mmpretrain_inception.datasets.layout import FORMS, find_layout
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.registry import DATASETS, resolve
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights import class_names
from mmpretrain_inception.weights.files.opener import open_weights

PHASES = ('train', 'val', 'test')
NEEDED = f'this config needs --data PATH: {FORMS}'


@dataclass(frozen=True)
class FolderData:
    """The images of a run, and the only place that says what its classes are.

    Attributes:
        root: The folder or table, an absolute path.
        datasets: Settings for each dataset that reads from it, by the dotted name of the dataset in the config.
        classes: Names of the classes, in the order of the model's outputs.
        facts: What the run reads, for the user.
    """

    root: str
    datasets: Mapping[str, Mapping[str, Any]]
    classes: tuple[str, ...]
    facts: DataFacts


def plan_folder(
    cfg: Config,
    name: str,
    *,
    data: str | None = None,
    val_share: float | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    phases: Sequence[str] = PHASES,
    checkpoints: Sequence[str] = (),
) -> FolderData | None:
    """Decide which datasets read the user's images, which images, and their classes.

    Args:
        cfg: The config. One that declares ``image_folder`` reads from it unless its datasets name their own data.
        name: The config file, for messages.
        data: ``--data``, which replaces ``cfg.image_folder``.
        val_share: ``--val-share``. Defaults to None: that of the checkpoints or of the config, or 0.2.
        cfg_options: What the user set by ``--cfg-options``. Classes there come first.
        phases: What the run reads of ``train``, ``val`` and ``test``.
        checkpoints: What is tested. Their class names number their outputs, and come before those of the folder.

    Returns:
        The data. None for a config whose datasets name their own.

    Raises:
        UsageError: If ``data`` is missing, or an option is given for a config or for data that cannot use it.
        InputError: If the data are missing or have fewer than two classes, or checkpoints disagree about the classes.
    """
    for option, value in (('--data', data), ('--val-share', val_share)):
        if value is not None and 'image_folder' not in cfg:
            raise UsageError(f'{name}: {option} is for configs that declare image_folder; this one names its own data')
    if 'image_folder' not in cfg:
        return None
    options = cfg_options or {}
    # A user who names the folder twice means the option that names the setting.
    chosen = options.get('image_folder') or data
    datasets = {phase: list(_folder_datasets(cfg, phase, override=chosen is not None)) for phase in PHASES}
    if not any(datasets[phase] for phase in phases):
        if data is not None:
            raise UsageError(f'{name}: --data has no effect, because every dataset of this config names its own data')
        return None
    if (chosen or cfg.image_folder) is None:
        raise UsageError(f'{name}: {NEEDED}')
    layout = find_layout(chosen or cfg.image_folder)
    classes = (
        _classes_set_by_user(options, itertools.chain(*datasets.values()))
        or classes_of_checkpoints(checkpoints)
        or classes_of(layout)
    )
    if len(classes) < 2:
        raise InputError(f'{layout.root}: expected at least two classes, got only {list_some(classes)}')
    share = choose_share(layout, val_share, shares_of_checkpoints(checkpoints), _shares_set(cfg, datasets))
    read = [phase for phase in phases if datasets[phase]]
    settings = {
        dataset: dataset_settings(cfg, dataset, layout, phase, share) for phase in PHASES for dataset in datasets[phase]
    }
    return FolderData(layout.root, settings, classes, gather_facts(layout, classes, read, share))


def _folder_datasets(cfg: Config, phase: str, *, override: bool) -> Iterator[str]:
    for key in innermost_datasets(cfg, phase):
        settings = get_at(cfg, key)
        kind = resolve(settings.get('type'), DATASETS)
        reads_folders = kind is not None and issubclass(kind, CustomDataset)
        # ImageNet and others know their classes.
        has_classes = bool(getattr(kind, 'METAINFO', {}).get('classes'))
        # An earlier run of this config may have set it; that does not count as the user's own.
        own = any(settings.get(key) not in (None, '', cfg.image_folder) for key in ('data_root', 'ann_file'))
        if reads_folders and not has_classes and (override or not own):
            yield key


def _classes_set_by_user(options: Mapping[str, Any], datasets: Iterable[str]) -> tuple[str, ...]:
    chosen = {key: _as_names(options[key]) for key in (f'{dataset}.classes' for dataset in datasets) if key in options}
    if len(set(chosen.values())) > 1:
        raise UsageError(f'--cfg-options {" ".join(chosen)}: the datasets of a run need the same classes')
    return next(iter(chosen.values()), ())


def _as_names(classes: Any) -> tuple[str, ...]:
    names = list_from_file(classes) if isinstance(classes, str) else classes
    return tuple(map(str, names or ()))


def _shares_set(cfg: Config, datasets: Mapping[str, Sequence[str]]) -> set[float]:
    """Return the shares for validation that the config has, such as one that an earlier run wrote."""
    shares = (get_at(cfg, f'{dataset}.val_share') for dataset in itertools.chain(*datasets.values()))
    return {share for share in shares if share is not None}


def check_resumed_data(checkpoint: str, data: FolderData) -> None:
    """Refuse to resume a run with other classes, which would silently shift the labels, or with another division.

    Args:
        checkpoint: What is resumed from.
        data: The data of this run.

    Raises:
        InputError: If the checkpoint cannot be read or names other classes than the folder, or its run held out another
            share of the images.
    """
    names = class_names(open_weights(checkpoint, keep=True).meta)
    if names and names != data.classes:
        raise InputError(
            f'{checkpoint}: --resume expects the classes of the checkpoint, {list_some(names)}, but {data.root} has '
            f'{list_some(data.classes)}; restore the classes, or start anew with --cfg-options load_from={checkpoint}'
        )
    before = next(iter(shares_of_checkpoints([checkpoint])), None)
    now = next((settings['val_share'] for settings in data.datasets.values() if 'val_share' in settings), None)
    if None not in (before, now) and before != now:
        raise InputError(
            f'{checkpoint}: --resume expects --val-share {before:g}, as the run began, got {now:g}: images that it '
            'validates with would be trained on'
        )
