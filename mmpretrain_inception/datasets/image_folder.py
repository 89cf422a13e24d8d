"""A folder of your own images as a dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmpretrain_inception.datasets.file_list import FileList
from mmpretrain_inception.datasets.file_list_dataset import FileListDataset
from mmpretrain_inception.datasets.hold_out import DEFAULT_SHARE, check_split, choose_side, class_members
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS
from mmpretrain_inception.utils.wording import list_some, printable


@DATASETS.register_module()
class ImageFolder(FileListDataset):
    """Images in one folder for each class, with labels from a given list of classes.

    mmpretrain's ``CustomDataset`` numbers the folders that it finds. Here a label is the position in ``classes``, so
    that a validation folder without one of the classes keeps the labels of training.

    One folder may hold the images for training and for validation. The content of a file then decides its side, by
    :func:`~mmpretrain_inception.datasets.hold_out.hold_out`.

    Args:
        data_root: Folder under which ``data_prefix`` lies.
        data_prefix: Folder that holds one folder for each class. Defaults to ''.
        classes: Names of the classes in the order of their labels. Defaults to None: the folders found, sorted.
        split: 'train' or 'val': only the images of this side. Defaults to None: all.
        val_share: Share of the images for validation. Defaults to 0.2.
        **kwargs: Passed on to the base class: ``extensions``, ``pipeline``, ``test_mode`` and so on.

    Raises:
        InputError: If the folder is missing or holds no image, or holds a class that is not in ``classes``.
    """

    def __init__(
        self,
        data_root: str,
        data_prefix: str = '',
        classes: Sequence[str] | str | None = None,
        split: str | None = None,
        val_share: float = DEFAULT_SHARE,
        **kwargs: Any,
    ) -> None:
        check_split(split)
        self.split, self.val_share = split, val_share
        super().__init__(data_root=data_root, data_prefix=data_prefix, classes=classes, **kwargs)
        if split is not None:
            # Checkpoints keep it, so that a test does not use images of the training.
            self._metainfo['val_share'] = val_share

    def list_files(self) -> FileList:
        """List the images of the side with their labels."""
        files = super().list_files()
        if self.split is None:
            return files
        folder = self.img_prefix.rstrip('/')
        members = class_members(files.table[:, 2])
        chosen, remarks = choose_side(folder, files, members, self.split, self.val_share)
        self.remarks += remarks
        return FileList(files.names, files.table[chosen])

    def _label_classes(self, found: list[str]) -> dict[str, int]:
        """Return the position in ``classes`` of each folder that was found."""
        classes = list(self.CLASSES or found)
        repeated = sorted(name for name, count in Counter(classes).items() if count > 1)
        if repeated:
            raise InputError(f'classes: expected names that differ, got {list_some(repeated)} more than once')
        unknown = [name for name in found if name not in classes]
        if unknown:
            raise InputError(
                f'{printable(self.img_prefix.rstrip("/"))}: the model knows the classes {list_some(classes, 5)}, but '
                f'the folder also holds {list_some(unknown, 5)}; remove it here or add it to the training data'
            )
        self._metainfo['classes'] = tuple(classes)
        return {name: label for label, name in enumerate(classes) if name in found}
