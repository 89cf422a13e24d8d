"""Handwritten digits that need no download."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
from mmengine.dist import barrier, is_main_process

from mmpretrain_inception.datasets.image_folder import ImageFolder
from mmpretrain_inception.registry import DATASETS

CLASSES = tuple('0123456789')


def write_digits(folder: str | os.PathLike[str]) -> None:
    """Write scikit-learn's digits as ``folder/{train,val}/<digit>/*.png``; do nothing if ``folder`` exists.

    Every fifth sample of each digit goes to ``val``: 1,442 images for training, 355 for validation, 8 x 8 pixels each.
    The folder is created completely or not at all.

    Args:
        folder: Where to write.
    """
    folder = Path(folder)
    if folder.exists():
        return
    from sklearn.datasets import load_digits  # slow to import, and only needed once

    digits = load_digits()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        for label, name in enumerate(CLASSES):
            for position, index in enumerate(np.flatnonzero(digits.target == label)):
                split = 'val' if position % 5 == 4 else 'train'
                # The dataset's grey levels run from 0 to 16.
                image = np.round(digits.images[index] * (255 / 16)).astype(np.uint8)
                mmcv.imwrite(image, f'{temporary}/digits/{split}/{name}/{index:04d}.png')
        try:
            os.rename(f'{temporary}/digits', folder)
        except OSError:
            # Another process was faster.
            if not folder.is_dir():
                raise
            shutil.rmtree(f'{temporary}/digits')


@DATASETS.register_module()
class Digits(ImageFolder):
    """The 1,797 digits of scikit-learn's ``load_digits``, written as PNG files on first use.

    They are files and not arrays, so that training uses the same code as for ImageNet.

    Args:
        data_root: Folder for the files. Defaults to 'data/digits'.
        split: 'train' or 'val'. Defaults to 'train'.
        **kwargs: Passed on to :class:`ImageFolder`.
    """

    def __init__(self, data_root: str = 'data/digits', split: str = 'train', **kwargs: Any) -> None:
        if is_main_process():
            write_digits(data_root)
        barrier()
        super().__init__(data_root=data_root, data_prefix=split, classes=CLASSES, **kwargs)
