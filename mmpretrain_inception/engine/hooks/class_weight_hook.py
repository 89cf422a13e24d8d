"""A loss that counts each class alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.models.losses import CrossEntropyLoss
from numpy.typing import NDArray

from mmpretrain_inception.datasets.labels import labels_of
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.modules import unwrap


def balanced_weights(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return weights in inverse proportion to the images of each class, scikit-learn's ``class_weight='balanced'``.

    Args:
        counts: Images of each class, of shape (C,).

    Returns:
        Weights of shape (C,), with a mean of 1 over the images. A class without images has 1.
    """
    return np.where(counts > 0, counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1)), 1.0)


@HOOKS.register_module()
class ClassWeightHook(Hook):
    """Weight the loss of each image by the inverse of the number of images of its class (:func:`balanced_weights`).

    The images are counted in the training data of the run. All of the model's losses of the kind ``CrossEntropyLoss``
    are weighted, that of the auxiliary classifier and those in ``LabelSmoothLoss``, too.

    Raises:
        InputError: If images have several labels, nobody knows the labels, or the model has no such loss.
    """

    def before_train(self, runner: Runner) -> None:
        """Count the images, and set the weights."""
        model = unwrap(runner.model)
        losses = [module for module in model.modules() if isinstance(module, CrossEntropyLoss)]
        if not losses:
            raise InputError('--balance: expected a CrossEntropyLoss or LabelSmoothLoss in model.head, got neither')
        if any(loss.use_sigmoid for loss in losses):
            raise InputError('--balance: expected one label for each image, but this loss is for several')
        if any(loss.class_weight is not None for loss in losses):
            raise InputError('--balance: model.head.loss.class_weight is set as well; leave one of them out')
        counts = np.bincount(_labels(runner), minlength=_num_classes(model))
        weights = balanced_weights(counts)
        for loss in losses:
            loss.class_weight = [round(weight, 6) for weight in weights.tolist()]
        most, least = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max() + 1).argmin())
        runner.logger.info(
            f'--balance: the loss of an image counts {weights[most]:.3g} times in the largest class ({counts[most]} '
            f'images) to {weights[least]:.3g} times in the smallest ({counts[least]})'
        )


def _labels(runner: Runner) -> NDArray[np.int64]:
    dataset = runner.train_dataloader.dataset
    labels = labels_of(dataset)
    if labels is None:
        raise InputError(f'--balance: expected a dataset with a label for each image, got {type(dataset).__name__}')
    if labels.wrong:
        raise InputError(f'--balance: expected one label for each image, got {labels.wrong[0]}')
    return labels.values


def _num_classes(model: Any) -> int:
    return int(getattr(getattr(model, 'head', None), 'num_classes', 0) or 0)
