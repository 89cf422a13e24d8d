"""The images of a CSV file as a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init
from numpy.typing import NDArray

from mmpretrain_inception.datasets.csv_table import Row, Table, read_table
from mmpretrain_inception.datasets.file_list import FileList, pack
from mmpretrain_inception.datasets.file_list_dataset import FileListDataset
from mmpretrain_inception.datasets.hold_out import DEFAULT_SHARE, check_split, choose_side
from mmpretrain_inception.datasets.one_reading import once
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS
from mmpretrain_inception.utils.wording import list_some, printable

_SIDES = ('train', 'val', 'test')


@DATASETS.register_module()
class CsvImages(FileListDataset):
    """Images that a table lists with their labels; :mod:`~mmpretrain_inception.datasets.csv_table` says in what form.

    With one label an image, ``gt_label`` is a number, as for mmpretrain's ``CustomDataset``; with several it is a list
    of numbers, as for its ``MultiLabelDataset``.

    If the table has a column for it, ``split`` selects rows by that. Otherwise, and where it names none for validation,
    the content of a file decides whether it is for training or for validation, as in :class:`ImageFolder`.

    Args:
        ann_file: The table. Paths in it are relative to its folder.
        classes: Names of the classes in the order of their labels. Defaults to None: those in the table, sorted.
        split: 'train', 'val' or 'test': only these images. Defaults to None: all.
        val_share: Share of the images for validation. Defaults to 0.2.
        **kwargs: Passed on to the base class: ``pipeline``, ``test_mode`` and so on.

    Attributes:
        several_labels: Whether an image may have several labels, once they are listed.

    Raises:
        InputError: If the table cannot be used, or names a class that ``classes`` does not or a file that is not there.
    """

    def __init__(
        self,
        ann_file: str,
        classes: Sequence[str] | str | None = None,
        split: str | None = None,
        val_share: float = DEFAULT_SHARE,
        **kwargs: Any,
    ) -> None:
        if split != 'test':
            check_split(split)
        self.split, self.val_share = split, val_share
        self.several_labels = False
        self._label_sets: list[tuple[int, ...]] = []
        folder = os.path.dirname(os.path.abspath(ann_file))
        super().__init__(ann_file=os.path.abspath(ann_file), data_prefix=folder, classes=classes, **kwargs)

    def list_files(self) -> FileList:
        """List the images of the side; their numbers are labels, or positions among the sets of labels."""
        table = once(('table', self.ann_file), partial(read_table, self.ann_file))
        self.several_labels = table.several_labels
        self.remarks += [f'columns not used: {list_some(table.unused, 5)}'] if table.unused else []
        label_of = self._label_names(table)
        rows, by_content = self._rows(table)
        sets = {row.labels: tuple(sorted(label_of[name] for name in row.labels)) for row in rows}
        self._label_sets = list(sets.values())
        number_of = {names: number for number, names in enumerate(sets)}
        files = pack((self._number(number_of[row.labels]), [row.path]) for row in rows)
        self._refuse_absent(rows)
        if not by_content:
            return files
        chosen, remarks = choose_side(
            self.img_prefix, files, list(self._members(files)), str(self.split), self.val_share
        )
        self.remarks += remarks
        self._metainfo['val_share'] = self.val_share
        return FileList(files.names, files.table[chosen])

    def class_counts(self, files: FileList) -> NDArray[np.int64]:
        """Return how many of the files each class has."""
        if not self.several_labels:
            return super().class_counts(files)
        sets = np.bincount(files.table[:, 2], minlength=len(self._label_sets))
        counts = np.zeros(len(self.CLASSES), np.int64)
        for labels, count in zip(self._label_sets, sets):
            counts[list(labels)] += count
        return counts

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return ``img_path``, ``gt_label`` and ``sample_idx`` of an image."""
        info = super().get_data_info(idx)
        if self.several_labels:
            info['gt_label'] = list(self._label_sets[info['gt_label']])
        return info

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels of an image."""
        labels = super().get_cat_ids(idx)
        return list(self._label_sets[labels[0]]) if self.several_labels else labels

    def _label_names(self, table: Table) -> dict[str, int]:
        classes = list(self.CLASSES or table.classes)
        unknown = [name for name in table.classes if name not in classes]
        if unknown:
            raise InputError(
                f'{printable(self.ann_file)}: the model knows the classes {list_some(classes, 5)}, but the table also '
                f'has {list_some(unknown, 5)}; remove these rows or train with them'
            )
        self._metainfo['classes'] = tuple(classes)
        return {name: label for label, name in enumerate(classes)}

    def _rows(self, table: Table) -> tuple[list[Row], bool]:
        """Return the rows to choose from, and whether the content of their files decides."""
        splits = table.splits
        if self.split is None or self.split == 'test' or 'val' in splits:
            return [row for row in table.rows if self.split in (None, row.split)], False
        return [row for row in table.rows if not splits or row.split == 'train'], True

    def _number(self, position: int) -> int:
        return position if self.several_labels else self._label_sets[position][0]

    def _members(self, files: FileList) -> Iterator[NDArray[np.int64]]:
        """Yield for each class the positions of its images."""
        numbers = files.table[:, 2]
        for label in range(len(self.CLASSES)):
            having = (
                [n for n, labels in enumerate(self._label_sets) if label in labels] if self.several_labels else [label]
            )
            yield np.flatnonzero(np.isin(numbers, having))

    def _refuse_absent(self, rows: Sequence[Row]) -> None:
        if not rows:
            raise InputError(f'{printable(self.ann_file)}: expected rows for {self.split}, got none')
        absent = [row for row in rows if not os.path.exists(os.path.join(self.img_prefix, row.path))]
        if absent:
            named = list_some([f'{row.path} (line {row.line})' for row in absent])
            raise InputError(
                f'{printable(self.ann_file)}: {len(absent):,} of {len(rows):,} files are not there: {named}\n'
                f'paths are relative to {printable(self.img_prefix)}; correct them or remove the rows'
            )
