"""The user's own images: their folder and their classes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.fileio import list_from_file
from mmpretrain.datasets import CustomDataset

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.datasets import innermost_datasets
from mmpretrain_inception.datasets.file_list_dataset import list_classes
from mmpretrain_inception.deploy.runtimes import read_contract
from mmpretrain_inception.deploy.table import is_exported
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.registry import DATASETS, resolve
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights import class_names
from mmpretrain_inception.weights.files.opener import open_weights

# The subfolder that each phase reads.
SPLITS = {'train': 'train', 'val': 'val', 'test': 'val'}


@dataclass(frozen=True)
class FolderData:
    """Where the images of a run are, and the only place that says what its classes are.

    Attributes:
        root: The folder, an absolute path.
        datasets: Its subfolder for each dataset that reads from it, by the dotted name of the dataset in the config.
        classes: Names of the classes, in the order of the model's outputs.
    """

    root: str
    datasets: Mapping[str, str]
    classes: tuple[str, ...]


def plan_folder(
    cfg: Config,
    name: str,
    *,
    data: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
    phases: Sequence[str] = tuple(SPLITS),
    checkpoints: Sequence[str] = (),
) -> FolderData | None:
    """Decide which datasets read the user's folder, and their classes.

    Args:
        cfg: The config. One that declares ``image_folder`` reads from it unless its datasets name their own data.
        name: The config file, for messages.
        data: ``--data``, which replaces ``cfg.image_folder``.
        cfg_options: What the user set by ``--cfg-options``. Classes there come first.
        phases: What the run reads of ``train``, ``val`` and ``test``.
        checkpoints: What is tested. Their class names number their outputs, and come before those of the folder.

    Returns:
        The data. None for a config whose datasets name their own.

    Raises:
        UsageError: If ``data`` is missing, or given for a config that cannot use it.
        InputError: If the folder is missing or has fewer than two classes, or checkpoints disagree about the classes.
    """
    if data is not None and 'image_folder' not in cfg:
        raise UsageError(f'{name}: --data is for configs that declare image_folder; this one names its own data')
    if 'image_folder' not in cfg:
        return None
    options = cfg_options or {}
    # A user who names the folder twice means the option that names the setting.
    chosen = options.get('image_folder') or data
    datasets = {phase: list(_folder_datasets(cfg, phase, override=chosen is not None)) for phase in SPLITS}
    if not any(datasets[phase] for phase in phases):
        if data is not None:
            raise UsageError(f'{name}: --data has no effect, because every dataset of this config names its own data')
        return None
    folder = chosen or cfg.image_folder
    if folder is None:
        raise UsageError(f'{name}: this config needs --data DIR, a folder with train/<class>/* and val/<class>/*')
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise InputError(f'{root}: expected a folder with train/<class>/* and val/<class>/*, but there is none')
    classes = (
        _classes_set_by_user(options, itertools.chain(*datasets.values()))
        or classes_of_checkpoints(checkpoints)
        or tuple(list_classes(str(root / 'train')))
    )
    if len(classes) < 2:
        raise InputError(f'{root / "train"}: expected folders of at least two classes, got only {classes[0]}')
    splits = {dataset: SPLITS[phase] for phase, names in datasets.items() for dataset in names}
    return FolderData(str(root.absolute()), splits, classes)


def _folder_datasets(cfg: Config, phase: str, *, override: bool) -> Iterator[str]:
    for key in innermost_datasets(cfg, phase):
        settings = get_at(cfg, key)
        kind = resolve(settings.get('type'), DATASETS)
        reads_folders = kind is not None and issubclass(kind, CustomDataset)
        # ImageNet and others know their classes.
        has_classes = bool(getattr(kind, 'METAINFO', {}).get('classes'))
        # An earlier run of this config may have set it; that does not count as the user's own.
        own = settings.get('data_root') not in (None, '', cfg.image_folder)
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


def classes_of_checkpoints(checkpoints: Sequence[str]) -> tuple[str, ...]:
    """Return the class names that checkpoints or exported files carry; () if none does.

    A file that cannot be read counts as one without names: loading its weights reports what is wrong with it.

    Args:
        checkpoints: Files or addresses.

    Raises:
        InputError: If two of them have different classes.
    """
    named = {checkpoint: names for checkpoint in checkpoints if (names := _classes_of(checkpoint))}
    for checkpoint, names in named.items():
        first = next(iter(named))
        if names != named[first]:
            raise InputError(
                f'{checkpoint}: expected the classes of {first}, {list_some(named[first])}, got {list_some(names)}'
            )
    return next(iter(named.values()), ())


def _classes_of(checkpoint: str) -> tuple[str, ...]:
    if is_exported(checkpoint):
        return tuple(read_contract(checkpoint).classes or ())
    try:
        # Kept for the Runner, which loads the same bytes.
        opened = open_weights(checkpoint, keep=True)
    except InputError:
        return ()
    names = class_names(opened.meta)
    # A model is built for them before its weights are compared, so that their number has to be one of the file's.
    return names if any(tensor.shape[:1] == (len(names),) for tensor in opened.tensors.values()) else ()


def check_resumed_classes(checkpoint: str, data: FolderData) -> None:
    """Refuse to resume a run with other classes, which would silently shift the labels.

    Args:
        checkpoint: What is resumed from.
        data: The data of this run.

    Raises:
        InputError: If the checkpoint cannot be read or names other classes than the folder.
    """
    names = class_names(open_weights(checkpoint, keep=True).meta)
    if names and names != data.classes:
        raise InputError(
            f'{checkpoint}: --resume expects the classes of the checkpoint, {list_some(names)}, but {data.root} has '
            f'{list_some(data.classes)}; restore the folders, or start anew with --cfg-options load_from={checkpoint}'
        )
