"""Folds for cross-validation in which each class has its share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmpretrain.datasets import KFoldDataset
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from mmpretrain_inception.datasets.labels import labels_of
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS
from mmpretrain_inception.utils.wording import list_some


@DATASETS.register_module()
class StratifiedKFoldDataset(KFoldDataset):
    """mmpretrain's ``KFoldDataset`` with folds from scikit-learn's ``StratifiedKFold``.

    Images with several labels are divided without regard to them, as by ``KFoldDataset``. Arguments are the same.

    Raises:
        InputError: If a class has fewer images than there are folds.
    """

    # mmpretrain sets them without types.
    dataset: Any
    _fully_initialized: bool

    def full_init(self) -> None:
        """List the images, and keep those of the fold, or without ``test_mode`` those of all others."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        labels = labels_of(self.dataset)
        if labels is None or labels.wrong:
            super().full_init()
            return
        names = self.CLASSES or [f'class {label}' for label in range(labels.values.max() + 1)]
        refuse_small_classes(names, np.bincount(labels.values, minlength=len(names)), self.num_splits)
        shuffling = dict(shuffle=True, random_state=self.seed) if self.seed is not None else {}
        folds = StratifiedKFold(self.num_splits, **shuffling).split(labels.values, labels.values)
        training, tested = list(folds)[self.fold]
        self._ori_indices = (tested if self.test_mode else training).tolist()
        self.dataset = self.dataset.get_subset(self._ori_indices)
        self._fully_initialized = True


def refuse_small_classes(names: Sequence[str], counts: Sequence[int] | NDArray[np.int64], folds: int) -> None:
    """Refuse a class that would be absent from a fold. One without any images is the config's own affair.

    Args:
        names: Names of the classes.
        counts: How many images each has.
        folds: Number of folds.

    Raises:
        InputError: If a class has fewer images than that.
    """
    few = [f'{name} ({count:,})' for name, count in zip(names, counts) if 0 < count < folds]
    if few:
        raise InputError(
            f'--folds {folds}: expected at least {folds} training images of each class, got fewer of '
            f'{list_some(few, 5)}'
        )
