"""K-fold cross-validation of the training images."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from mmengine.config import Config, ConfigDict

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.datasets import innermost_datasets
from mmpretrain_inception.configuring.folder import FolderData
from mmpretrain_inception.configuring.options import TrainOptions
from mmpretrain_inception.datasets.stratified_folds import refuse_small_classes
from mmpretrain_inception.errors import InputError, UsageError

# What differs between runs of the same training.
_OF_A_RUN = ('work_dir', 'resume', 'load_from', 'launcher')


def check_folds(options: TrainOptions) -> int:
    """Return the number of folds.

    Raises:
        UsageError: If it is none, or options do not go together with it.
    """
    folds = options.folds
    if not isinstance(folds, int) or folds < 2:
        raise UsageError(f'--folds {folds}: expected a whole number of at least 2')
    if options.no_validate:
        raise UsageError(f'--folds {folds}: each fold is validated; leave out --no-validate')
    if options.resume is not None:
        raise UsageError(f'--folds {folds}: to go on, give the same command again without --resume')
    return folds


def use_fold(cfg: Config, fold: int, folds: int) -> None:
    """Let a config train on all but one fold of its training images and validate on that one, in place.

    The images of each class are divided by the config's seed (``StratifiedKFoldDataset``).

    Args:
        cfg: The complete config.
        fold: The fold to validate on, from 0.
        folds: The number of folds.

    Raises:
        InputError: If the dataset is wrapped, or there is no validation.
    """
    keys = innermost_datasets(cfg, 'train'), innermost_datasets(cfg, 'val')
    if keys[0] != ['train_dataloader.dataset'] or not keys[1]:
        raise InputError('--folds: expected a training dataset without wrappers, and validation; got others')
    images = cfg.train_dataloader.dataset
    seed = get_at(cfg, 'randomness.seed') or 0
    tested = {**deepcopy(dict(images)), 'pipeline': deepcopy(get_at(cfg, f'{keys[1][0]}.pipeline'))}
    for loader, dataset, testing in (('train_dataloader', images, False), ('val_dataloader', tested, True)):
        kind = 'mmpretrain_inception.StratifiedKFoldDataset'
        cfg[loader].dataset = ConfigDict(
            type=kind, dataset=dataset, fold=fold, num_splits=folds, test_mode=testing, seed=seed
        )


def describe_folds(folds: int, data: FolderData | None) -> str:
    """Return a line that says how the images are divided.

    Args:
        folds: The number of folds.
        data: The user's images. None: the config names its own.

    Raises:
        InputError: If a class has fewer images than there are folds.
    """
    several = data is not None and data.facts.several_labels
    if data is not None and not several:
        refuse_small_classes(data.classes, data.facts.class_images.get('train', ()), folds)
    how = 'drawn without regard to the labels, of which an image has several' if several else 'each class in each fold'
    return f'{folds} folds of the training images, {how}; other images for validation are left out'


def digest_of(cfg: Config) -> str:
    """Return what two runs have in common only if their settings are the same."""
    settings = {key: value for key, value in sorted(cfg.to_dict().items()) if key not in _OF_A_RUN}
    return hashlib.sha256(repr(settings).encode()).hexdigest()


def table_of_folds(metrics: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """Yield the lines of a table: each metric of each fold, with mean and standard deviation (n - 1)."""
    width = max(map(len, metrics[0]), default=0)
    numbers = [f'fold {number}' for number in range(1, len(metrics) + 1)]
    yield f'{"":{width}}  {"  ".join(f"{name:>8}" for name in numbers)}      mean       std'
    for name in metrics[0]:
        values = [fold[name] for fold in metrics]
        shown = '  '.join(f'{value:8.4g}' for value in values)
        yield f'{name:{width}}  {shown}  {statistics.fmean(values):8.4g}  {statistics.stdev(values):8.3g}'


def summary_of_folds(metrics: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Return the figures of each fold, and of each metric mean and standard deviation."""
    values = {name: [fold[name] for fold in metrics] for name in metrics[0]}
    mean = {name: statistics.fmean(found) for name, found in values.items()}
    return dict(folds=list(metrics), mean=mean, std={name: statistics.stdev(found) for name, found in values.items()})
