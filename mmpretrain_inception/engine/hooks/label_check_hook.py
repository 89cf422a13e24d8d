"""A check that the labels of a dataset are those of the classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmpretrain_inception.datasets.labels import Labels, labels_of
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.heads.inception_head import SEVERAL_LABELS, InceptionHead
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.modules import unwrap


@HOOKS.register_module()
class LabelCheckHook(Hook):
    """Stop before the first batch if a dataset holds labels that :class:`InceptionHead` cannot have.

    Each image needs one label, an integer from 0 to ``head.num_classes - 1``. Otherwise the loss would fail with an
    index error on a CPU and with an assertion of the device on a GPU, and images with several labels could be trained
    on wrongly without any error. Datasets inside wrappers are checked, too.

    Raises:
        InputError: If a label is something else.
    """

    def __init__(self) -> None:
        self._checked: list[Any] = []

    def before_train(self, runner: Runner) -> None:
        """Check the training and the validation data."""
        self._check(runner, runner.train_dataloader, 'training')
        if runner.val_loop is not None:
            self._check(runner, runner.val_dataloader, 'validation')

    def before_val(self, runner: Runner) -> None:
        """Check the validation data, unless that was done before training."""
        self._check(runner, runner.val_dataloader, 'validation')

    def before_test(self, runner: Runner) -> None:
        """Check the test data."""
        self._check(runner, runner.test_dataloader, 'test')

    def _check(self, runner: Runner, loader: DataLoader, phase: str) -> None:
        head = getattr(unwrap(runner.model), 'head', None)
        dataset = loader.dataset
        if not isinstance(head, InceptionHead) or any(dataset is known for known in self._checked):
            return
        self._checked.append(dataset)
        labels = labels_of(dataset)
        if labels is not None:
            _refuse_wrong(labels, getattr(dataset, 'img_prefix', f'the {phase} dataset'), head.num_classes)


def _refuse_wrong(labels: Labels, where: str, num_classes: int) -> None:
    if labels.wrong:
        first = labels.wrong[0]
        several = np.ndim(first) > 0 and np.size(first) != 1
        remedy = f'; {SEVERAL_LABELS}' if several else ''
        raise InputError(
            f'InceptionHead: expected one label for each image, an integer, but {where} holds {first!r}{remedy}'
        )
    if not len(labels.values):
        return
    lowest, highest = int(labels.values.min()), int(labels.values.max())
    if lowest < 0:
        raise InputError(f'expected labels from 0 to {num_classes - 1}, but {where} holds {lowest}')
    if highest >= num_classes:
        raise InputError(
            f'model.head.num_classes is {num_classes}, but {where} holds labels up to {highest}; '
            f'set model.head.num_classes={highest + 1} or more'
        )
