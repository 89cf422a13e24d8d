"""mmpretrain's datasets of image files, for millions of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.logging import MMLogger
from mmpretrain.datasets import CustomDataset, ImageNet
from mmpretrain.datasets.custom import find_folders, get_samples
from numpy.typing import NDArray

from mmpretrain_inception.datasets.file_list import FileList, pack, path_at
from mmpretrain_inception.datasets.folder_scan import count_beside, list_folders, list_images, refuse_none
from mmpretrain_inception.datasets.image_kinds import IMAGE_EXTENSIONS
from mmpretrain_inception.datasets.list_file import read_lines
from mmpretrain_inception.datasets.one_reading import remark
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS
from mmpretrain_inception.utils.wording import list_some, printable

# The number of an image that has no label.
_NO_LABEL = -1
# Longer numbers are no classes, and numpy could not hold them.
_LABEL_DIGITS = 9


@DATASETS.register_module()
class FileListDataset(CustomDataset):
    """mmpretrain's ``CustomDataset`` with its file list in arrays, which all workers share.

    Folders are read by several threads, so that a dataset of 1.3 million files starts in seconds. Everything else is
    as in ``CustomDataset``: arguments, order of the files, wrappers.

    Args:
        *args: Passed on to the base class.
        classes: Names of the classes, or a text file with one per line. Defaults to None: as in the base class.
        extensions: File extensions of images, in lower case. Defaults to those of every kind that :class:`LoadImage`
            reads.
        cache_dir: Ignored. Configs that earlier versions wrote have it.
        **kwargs: Passed on to the base class.

    Attributes:
        unused: How many files beside the images there are of each kind, once they are listed.
        absent: Classes without images, once they are listed.
        remarks: What there is to say of the files, one line each, once they are listed. They are logged.

    Raises:
        InputError: If there is no file, or a line of ``ann_file`` cannot be used.
    """

    _fully_initialized: bool = False

    def __init__(
        self,
        *args: Any,
        classes: Sequence[Any] | str | None = None,
        extensions: Sequence[str] = IMAGE_EXTENSIONS,
        cache_dir: str | None = None,
        **kwargs: Any,
    ) -> None:
        if cache_dir is not None:
            MMLogger.get_current_instance().warning(
                f'{type(self).__name__}: cache_dir is ignored; file lists are no longer kept between runs'
            )
        if classes is not None:
            classes = class_names_of(classes)
        self.unused: Counter[str] = Counter()
        self.remarks: list[str] = []
        self.absent: list[str] = []
        super().__init__(*args, classes=classes, extensions=extensions, **kwargs)

    def full_init(self) -> None:
        """List the files, once."""
        if self._fully_initialized:
            return
        # mmengine's names for serialized data; its methods for subsets work on them.
        self.serialize_data = True
        self.data_bytes, self.data_address = self.list_files()
        for text in self.remarks:
            remark(text)
        if self._indices is not None:
            self.data_bytes, self.data_address = self._get_serialized_subset(self._indices)
        self._fully_initialized = True

    def list_files(self) -> FileList:
        """List the files with their labels, or -1 for those without one."""
        if not self.ann_file:
            return self._find_files()
        files = pack((label, [path]) for path, label in self._read_lines())
        if not len(files.table):
            raise InputError(f'{printable(self.ann_file)}: expected one image per line, got an empty file')
        return files

    def class_counts(self, files: FileList) -> NDArray[np.int64]:
        """Return how many of the files each class has.

        Args:
            files: What :meth:`list_files` returned.
        """
        labels = files.table[:, 2]
        return np.bincount(labels[labels >= 0], minlength=len(self.CLASSES or ()))

    @force_full_init
    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return ``img_path``, ``gt_label`` if there is one, and ``sample_idx`` of an image."""
        path = path_at(FileList(self.data_bytes, self.data_address), idx)
        info: dict[str, Any] = dict(img_path=os.path.join(self.img_prefix, path))
        label = int(self.data_address[idx, 2])
        if label != _NO_LABEL:
            info['gt_label'] = label
        info['sample_idx'] = idx if idx >= 0 else len(self) + idx
        return info

    @force_full_init
    def get_gt_labels(self) -> NDArray[np.int64]:
        """Return the labels of all images."""
        return np.array(self.data_address[:, 2])

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image in a list, as wrappers expect it."""
        return [int(self.data_address[idx, 2])]

    def _get_serialized_subset(self, indices: Sequence[int] | int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return the names, which all subsets share, and the rows of the table that ``indices`` selects."""
        if isinstance(indices, int):
            rows = self.data_address[:indices] if indices >= 0 else self.data_address[indices:]
        else:
            rows = self.data_address[np.asarray(indices, np.int64)]
        return self.data_bytes, rows

    def _read_lines(self) -> Iterator[tuple[str, int]]:
        for number, text in read_lines(self.ann_file):
            where = f'{printable(self.ann_file)}: line {number} is "{printable(text)}"'
            path, label = self._split(text)
            if not path or not label.isdecimal() or len(label) > _LABEL_DIGITS:
                raise InputError(f'{where}; expected a path and the number of a class')
            if os.path.isabs(path) or '..' in path.split('/'):
                raise InputError(f'{where}, which leads out of {printable(self.img_prefix)}')
            yield path, int(label) if self.with_label else _NO_LABEL

    def _split(self, text: str) -> tuple[str, str]:
        """Split a line at the last spaces or tabs into path and label."""
        if not self.with_label:
            return text, '0'
        path, *label = text.rsplit(None, 1)
        return path, ''.join(label)

    def _find_files(self) -> FileList:
        folder = self.img_prefix.rstrip('/') or '/'
        # Sorted by folder, as in mmpretrain, whatever the labels.
        label_of = dict(sorted(self._label_classes(list_classes(folder)).items())) if self.with_label else {}
        if isinstance(get_file_backend(folder), LocalBackend):
            listed, unused, skipped = list_images(folder, list(label_of) or [''], self.extensions)
            self.unused = unused + (count_beside(folder) if label_of else Counter())
            files = _numbered(listed, list(label_of.values()) or [_NO_LABEL])
            self.remarks += [f'{printable(folder)}: links not followed: {list_some(skipped)}'] if skipped else []
        else:
            samples, _ = get_samples(folder, label_of or None, is_valid_file=self.is_valid_file)
            files = pack((label, [path]) for path, label in samples) if label_of else pack([(_NO_LABEL, samples)])
        if not len(files.table):
            refuse_none(folder, self.extensions, self.unused)
        self.absent = self._find_absent(label_of, files)
        self.remarks += [f'{printable(folder)}: no images of {list_some(self.absent, 5)}'] if self.absent else []
        return files

    def _label_classes(self, found: list[str]) -> dict[str, int]:
        """Return the label of each folder that was found: its position, which sets the classes if nothing else does.

        Raises:
            InputError: If there are more or fewer than ``classes``.
        """
        if self.CLASSES is not None and len(self.CLASSES) != len(found):
            raise InputError(
                f'{printable(self.img_prefix)}: expected {len(self.CLASSES)} folders, one for each class, '
                f'got {len(found)}'
            )
        self._metainfo.setdefault('classes', tuple(found))
        return {name: label for label, name in enumerate(found)}

    def _find_absent(self, label_of: dict[str, int], files: FileList) -> list[str]:
        """Return the classes without images."""
        present = set(np.unique(files.table[:, 2]).tolist())
        return [name for name in self.CLASSES or () if label_of.get(name) not in present] if label_of else []


@DATASETS.register_module()
class ImageNetFiles(FileListDataset, ImageNet):
    """mmpretrain's ``ImageNet`` that starts fast and needs little memory for its 1.28 million files.

    Args:
        **kwargs: Passed on to both base classes: ``data_root``, ``split``, ``pipeline`` and so on.
    """


def list_classes(folder: str) -> list[str]:
    """Return the names of the folders in ``folder``, sorted: the classes of an ImageNet-style dataset.

    Raises:
        InputError: If ``folder`` is not a folder, contains none, or contains one with an undecodable name.
    """
    backend = get_file_backend(folder)
    if not backend.isdir(folder):
        raise InputError(f'{printable(folder)}: expected a folder with one folder of images for each class, found none')
    classes = list_folders(folder) if isinstance(backend, LocalBackend) else find_folders(folder)[0]
    if not classes:
        raise InputError(
            f'{printable(folder)}: expected one folder of images for each class, but there is no folder in it'
        )
    return class_names_of(classes)


def class_names_of(classes: Sequence[Any] | str) -> list[str]:
    """Return class names as text.

    Args:
        classes: The names, or the path of a file with one per line.

    Raises:
        InputError: If a name is not valid text.
    """
    # `--cfg-options classes=[0,1]` gives numbers.
    names = [line for _, line in read_lines(classes)] if isinstance(classes, str) else [str(name) for name in classes]
    for name in names:
        if not name.isprintable() and any('\ud800' <= character <= '\udfff' for character in name):
            raise InputError(
                f'the class name {printable(name)} is not valid UTF-8; checkpoints and configs store class names as '
                'text: rename the folder'
            )
    return names


def _numbered(files: FileList, labels: Sequence[int]) -> FileList:
    """Replace positions among the folders by labels."""
    if list(labels) == list(range(len(labels))):
        return files
    table = np.array(files.table)
    table[:, 2] = np.array(labels, np.int64)[table[:, 2]]
    return FileList(files.names, table)
