"""ImageNet without some of its images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger

from mmpretrain_inception.datasets.file_list import FileList, path_at
from mmpretrain_inception.datasets.file_list_dataset import ImageNetFiles
from mmpretrain_inception.datasets.list_file import read_lines
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS
from mmpretrain_inception.utils.wording import list_some, printable

# ImageNet's validation images are numbered with so many digits.
_DIGITS = 8


def read_excluded(path: str) -> list[str]:
    """Read a list of images: one a line, by file name or by number among ImageNet's validation images.

    Args:
        path: The file, for example ``ILSVRC2014_clsloc_validation_blacklist.txt`` of ImageNet's development kit.

    Returns:
        File names, without folders and extensions, in the order of the file.

    Raises:
        InputError: If the file cannot be read or is empty.
    """
    names = [_stem(line) for _, line in read_lines(path)]
    if not names:
        raise InputError(f'{printable(path)} is empty: expected one image a line, as a number or a file name')
    return names


def _stem(line: str) -> str:
    is_number = line.isdecimal() and len(line) <= _DIGITS
    return f'ILSVRC2012_val_{int(line):0{_DIGITS}d}' if is_number else Path(line).stem


@DATASETS.register_module()
class ImageNetSubset(ImageNetFiles):
    """:class:`ImageNetFiles` without the images of a list.

    The Inception papers evaluate on 48,238 of the 50,000 validation images: without the 1,762 that ImageNet's own
    development kit discards for their bounding boxes (``data/ILSVRC2014_clsloc_validation_blacklist.txt`` in it).

    Args:
        excluded: File that lists the images to leave out, in the form of :func:`read_excluded`. Defaults to None: none.
        **kwargs: Passed on to :class:`ImageNetFiles`: ``data_root``, ``split``, ``pipeline`` and so on.

    Raises:
        InputError: If the file cannot be read, or lists an image that the dataset does not hold.
    """

    def __init__(self, excluded: str | None = None, **kwargs: Any) -> None:
        self.excluded = excluded
        super().__init__(**kwargs)

    def list_files(self) -> FileList:
        """List the images, without those to leave out."""
        files = super().list_files()
        if self.excluded is None:
            return files
        names = set(read_excluded(self.excluded))
        stems = [_stem(path_at(files, index)) for index in range(len(files.table))]
        absent = sorted(names.difference(stems))
        if absent:
            raise InputError(
                f'{printable(self.excluded)} lists {list_some(absent)}, which {printable(self.img_prefix)} does not '
                'hold; expected one image a line, as a number or a file name'
            )
        kept = files.table[[stem not in names for stem in stems]]
        MMLogger.get_current_instance().info(
            f'{printable(self.excluded)}: {len(stems) - len(kept):,} of {len(stems):,} images left out'
        )
        return FileList(files.names, kept)
