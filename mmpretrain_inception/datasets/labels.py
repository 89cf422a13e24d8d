"""The labels of a dataset, whatever wraps it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmpretrain_inception.datasets.file_list_dataset import FileListDataset


class Labels(NamedTuple):
    """The labels that a dataset returns.

    Attributes:
        values: One integer for each image; int64 of shape (images,). Empty if the labels are of another kind.
        wrong: Those that are no single integers.
    """

    values: NDArray[np.int64]
    wrong: list[Any]


def labels_of(dataset: Any) -> Labels | None:
    """Return the labels of all images of a dataset.

    Args:
        dataset: A dataset of mmengine's kind, or one within wrappers that repeat, balance, join or select: mmengine's
            and mmpretrain's, and torch's ``Subset`` and ``ConcatDataset``.

    Returns:
        The labels. None if the images have none, have scores for every class instead, or the dataset cannot be asked
        without loading them.
    """
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    if hasattr(dataset, 'datasets'):
        return _joined([labels_of(part) for part in dataset.datasets])
    if hasattr(dataset, 'dataset'):
        inner = labels_of(dataset.dataset)
        # For torch's Subset; the others return everything that they wrap.
        selected = getattr(dataset, 'indices', None)
        return inner if inner is None or selected is None else _select(inner, selected)
    return _leaf_labels(dataset)


def _leaf_labels(dataset: Any) -> Labels | None:
    if not hasattr(dataset, 'get_data_info') or not len(dataset):
        return None
    first = dataset.get_data_info(0)
    if 'gt_label' not in first or 'gt_score' in first:
        return None
    if isinstance(dataset, FileListDataset) and not getattr(dataset, 'several_labels', False):
        return Labels(dataset.get_gt_labels(), [])
    labels = [dataset.get_data_info(index).get('gt_label') for index in range(len(dataset))]
    wrong = [label for label in labels if not _is_integer(label)]
    if wrong:
        return Labels(np.empty(0, np.int64), wrong)
    return Labels(np.array([np.asarray(label).item() for label in labels], np.int64), [])


def _is_integer(label: Any) -> bool:
    array = np.asarray(label)
    return array.size == 1 and array.dtype.kind in 'iu'


def _select(labels: Labels, indices: Any) -> Labels:
    return labels if labels.wrong else Labels(labels.values[np.asarray(indices, np.int64)], [])


def _joined(parts: list[Labels | None]) -> Labels | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    return Labels(np.concatenate([part.values for part in known]), [label for part in known for label in part.wrong])
