"""A folder of one's own images as a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.fileio import get_file_backend
from mmengine.logging import MMLogger
from mmpretrain.datasets import CustomDataset
from mmpretrain.datasets.custom import find_folders, get_samples

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS

IMAGE_EXTENSIONS = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.pgm', '.tif', '.tiff', '.webp')


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


@DATASETS.register_module()
class ImageFolder(CustomDataset):
    """Images in one folder a class, with labels from a given list of classes.

    mmpretrain's ``CustomDataset`` numbers the folders that it finds. Here a label is the position in ``classes``, so
    that a validation folder in which a class is missing keeps the labels of training.

    Args:
        data_root: Folder under which ``data_prefix`` lies.
        data_prefix: Folder that holds one folder a class. Defaults to ''.
        classes: Names of the classes in the order of their labels. Defaults to None: the folders found, sorted.
        extensions: Endings of image files, in lower case. Defaults to those that OpenCV reads.
        **kwargs: Passed on to mmpretrain's ``CustomDataset``: ``pipeline``, ``test_mode`` and so on.

    Raises:
        ValueError: If the folder is missing or holds no image, or holds a class that is not in ``classes``.
    """

    def __init__(
        self,
        data_root: str,
        data_prefix: str = '',
        classes: Sequence[str] | None = None,
        extensions: Sequence[str] = IMAGE_EXTENSIONS,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_root=data_root, data_prefix=data_prefix, classes=classes, extensions=extensions, **kwargs)

    def _find_samples(self) -> list[tuple[str, int]]:
        folder = self.img_prefix.rstrip('/')
        found = list_classes(folder)
        classes = list(self.CLASSES or found)
        unknown = [name for name in found if name not in classes]
        if unknown:
            raise InputError(
                f'{folder}: the model knows the classes {_shortened(classes)}, but the folder also holds '
                f'{_shortened(unknown)}; remove it here or add it to the training data'
            )
        label_of = {name: label for label, name in enumerate(classes) if name in found}
        samples, empty = get_samples(folder, label_of, is_valid_file=self.is_valid_file)
        if not samples:
            raise InputError(f'{folder}: images ({" ".join(IMAGE_EXTENSIONS)}) were expected, but there is none')
        absent = sorted({*empty, *(name for name in classes if name not in found)})
        if absent:
            MMLogger.get_current_instance().warning(f'{folder}: no image of {_shortened(absent)}')
        self._metainfo['classes'] = tuple(classes)
        return samples


def _shortened(names: Sequence[str], most: int = 5) -> str:
    return ', '.join(names[:most]) + (f' and {len(names) - most} more' if len(names) > most else '')
