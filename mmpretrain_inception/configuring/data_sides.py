"""How a user's images are divided, as settings of datasets."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import partial
from typing import Any

from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.datasets.csv_images import CsvImages
from mmpretrain_inception.datasets.csv_table import read_table
from mmpretrain_inception.datasets.file_list_dataset import class_names_of, list_classes
from mmpretrain_inception.datasets.hold_out import DEFAULT_SHARE, TRAIN, check_share
from mmpretrain_inception.datasets.image_folder import ImageFolder
from mmpretrain_inception.datasets.layout import TEST, Layout
from mmpretrain_inception.datasets.one_reading import once
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.registry import DATASETS, resolve


def classes_of(layout: Layout) -> tuple[str, ...]:
    """Return the names of the classes, sorted: those of the folders for training, or of the rows of a table.

    Args:
        layout: Where the images are.

    Raises:
        InputError: If there are no folders, or a name cannot be used.
    """
    if layout.is_table:
        return tuple(class_names_of(once(('table', layout.root), partial(read_table, layout.root)).classes))
    settings = layout.dataset(TRAIN)
    return tuple(list_classes(os.path.join(settings['data_root'], settings['data_prefix']).rstrip('/')))


def choose_share(
    layout: Layout, given: float | None, trained: Collection[float], configured: Collection[float]
) -> float:
    """Return the share of the images for validation, where their content decides.

    Args:
        layout: Where the images are.
        given: ``--val-share``.
        trained: Those of the checkpoints that are tested. The smallest is used, so that none has seen a test image.
        configured: Those in the config.

    Raises:
        UsageError: If ``given`` is not between 0 and 1, has no effect, or would test on images of the training.
    """
    if given is None:
        return min(trained or configured or [DEFAULT_SHARE])
    check_share(given)
    if not layout.by_content:
        held_out = ' and '.join(layout.sides.values())
        raise UsageError(f'--val-share {given:g} has no effect: {layout.root} is divided already, into {held_out}')
    if trained and given > min(trained):
        raise UsageError(
            f'--val-share {given:g}: the checkpoint was trained with {min(trained):g}, so that it would be tested on '
            'images that it was trained on; leave the option out'
        )
    return given


def dataset_settings(cfg: Config, dataset: str, layout: Layout, phase: str, share: float) -> dict[str, Any]:
    """Return what a dataset of the config needs to read the images of a phase.

    Args:
        cfg: The config.
        dataset: Dotted name of the dataset in it.
        layout: Where the images are.
        phase: ``train``, ``val`` or ``test``.
        share: Share of the images for validation, where their content decides.
    """
    settings = layout.dataset(phase)
    if layout.by_content and layout.side_of(phase) != TEST:
        settings['val_share'] = share
    base = CsvImages if layout.is_table else ImageFolder
    kind = resolve(get_at(cfg, f'{dataset}.type'), DATASETS)
    # Any dataset of folders can read one; only ours can divide it.
    fits = isinstance(kind, type) and issubclass(kind, base)
    if not fits and (layout.is_table or 'split' in settings or kind is CsvImages):
        settings['type'] = f'mmpretrain_inception.{base.__name__}'
    return settings
