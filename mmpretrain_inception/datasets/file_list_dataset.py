"""mmpretrain's dataset of files, for millions of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init
from mmengine.fileio import LocalBackend, get_file_backend, list_from_file
from mmengine.logging import MMLogger
from mmpretrain.datasets import CustomDataset, ImageNet
from mmpretrain.datasets.custom import find_folders, get_samples
from numpy.typing import NDArray

from mmpretrain_inception.datasets.file_list import FileList, pack, path_at
from mmpretrain_inception.datasets.folder_scan import list_images
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS
from mmpretrain_inception.utils.wording import list_some

# Of images without one.
_NO_LABEL = -1


@DATASETS.register_module()
class FileListDataset(CustomDataset):
    """mmpretrain's ``CustomDataset`` with its files in arrays, which all workers share, and no object a file.

    A dataset of 1.3 million files starts in the time that the folders take to be read, by several threads, or less
    with a cache. Everything else is as in ``CustomDataset``: arguments, order of the files, wrappers.

    Args:
        *args: Passed on to the base class.
        cache_dir: Folder for the list of a folder's files, which is read there the next time unless a folder has
            changed; on local file systems. Defaults to None: the folders are read every time. The tools set it to
            ``.file_lists`` beside the work directory.
        **kwargs: Passed on to the base class.

    Raises:
        ValueError: If there is no file, or a line of ``ann_file`` is not what was expected.
    """

    _fully_initialized: bool = False

    def __init__(
        self, *args: Any, cache_dir: str | None = None, classes: Sequence[Any] | str | None = None, **kwargs: Any
    ) -> None:
        self.cache_dir = cache_dir
        if classes is not None and not isinstance(classes, str):
            # `--cfg-options classes=[0,1]` gives numbers.
            classes = [str(name) for name in classes]
        super().__init__(*args, classes=classes, **kwargs)

    def full_init(self) -> None:
        """List the files, once."""
        if self._fully_initialized:
            return
        # The names that mmengine's base class has for serialized data, by which its methods for subsets work on.
        self.serialize_data = True
        self.data_bytes, self.data_address = self.list_files()
        if self._indices is not None:
            self.data_bytes, self.data_address = self._get_serialized_subset(self._indices)
        self._fully_initialized = True

    def list_files(self) -> FileList:
        """List the files with their labels, or -1 where there is none."""
        if self.ann_file:
            return pack((label, [path]) for path, label in self._read_lines())
        return self._find_files()

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
        for number, line in enumerate(list_from_file(self.ann_file), 1):
            where, text = f'{self.ann_file}: line {number}', line.strip()
            if not text:
                continue
            path, _, label = text.rpartition(' ') if self.with_label else (text, '', '')
            if not path or (self.with_label and not label.isdecimal()):
                raise InputError(f'{where} is "{text}", but a path and the number of a class were expected')
            if os.path.isabs(path) or '..' in path.split('/'):
                raise InputError(f'{where} is "{path}", which leads out of {self.img_prefix}')
            yield path, int(label) if self.with_label else _NO_LABEL

    def _find_files(self) -> FileList:
        folder = self.img_prefix.rstrip('/') or '/'
        # Sorted by folder, as mmpretrain's, whatever the labels.
        label_of = dict(sorted(self._label_classes(list_classes(folder)).items())) if self.with_label else None
        if label_of is not None and isinstance(get_file_backend(folder), LocalBackend):
            files = _numbered(list_images(folder, list(label_of), self.extensions, self.cache_dir), label_of)
        else:
            samples, _ = get_samples(folder, label_of, is_valid_file=self.is_valid_file)
            files = pack((label, [path]) for path, label in samples) if label_of else pack([(_NO_LABEL, samples)])
        if not len(files.table):
            raise InputError(f'{folder}: images ({" ".join(sorted(self.extensions))}) were expected, but there is none')
        self._warn_of_empty(folder, label_of or {}, files)
        return files

    def _label_classes(self, found: list[str]) -> dict[str, int]:
        """Return the label of each folder that was found: its position, which sets the classes if nothing else does.

        Raises:
            ValueError: If there are more or fewer than ``classes``.
        """
        if self.CLASSES is not None and len(self.CLASSES) != len(found):
            raise InputError(
                f'{self.img_prefix}: {len(self.CLASSES)} folders were expected, one a class, but there are {len(found)}'
            )
        self._metainfo.setdefault('classes', tuple(found))
        return {name: label for label, name in enumerate(found)}

    def _warn_of_empty(self, folder: str, label_of: dict[str, int], files: FileList) -> None:
        present = set(np.unique(files.table[:, 2]).tolist())
        absent = [name for name in self.CLASSES or () if label_of.get(name) not in present] if label_of else []
        if absent:
            MMLogger.get_current_instance().warning(f'{folder}: no image of {list_some(absent, 5)}')


@DATASETS.register_module()
class ImageNetFiles(FileListDataset, ImageNet):
    """mmpretrain's ``ImageNet``, whose 1.28 million files start fast and take little memory.

    Args:
        **kwargs: Passed on to both bases: ``cache_dir``, ``data_root``, ``split``, ``pipeline`` and so on.
    """


def list_classes(folder: str) -> list[str]:
    """Return the names of the folders in ``folder``, sorted: the classes of an ImageNet-style dataset.

    Raises:
        ValueError: If ``folder`` is no folder or holds none.
    """
    if not get_file_backend(folder).isdir(folder):
        raise InputError(f'{folder}: a folder with one folder of images a class was expected, but there is none')
    classes, _ = find_folders(folder)
    if not classes:
        raise InputError(f'{folder}: one folder of images a class was expected, but it holds no folder')
    return classes


def _numbered(files: FileList, label_of: dict[str, int]) -> FileList:
    """Put labels in the place of positions among the folders."""
    labels = np.array(list(label_of.values()), np.int64)
    if np.array_equal(labels, np.arange(len(labels))):
        return files
    table = np.array(files.table)
    table[:, 2] = labels[table[:, 2]]
    return FileList(files.names, table)
