"""Which images are for validation, decided by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmpretrain_inception.datasets.content_hash import HASH_BITS, content_hashes
from mmpretrain_inception.datasets.file_list import FileList, path_at
from mmpretrain_inception.datasets.one_reading import once
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.utils.wording import list_some, printable

TRAIN, VAL = 'train', 'val'
DEFAULT_SHARE = 0.2


class Sides(NamedTuple):
    """The side of each image.

    Attributes:
        validation: Whether it is for validation; bool of shape (images,).
        moved: The images that are on the other side than their hashes say: for each the first file with this content.
    """

    validation: NDArray[np.bool_]
    moved: tuple[int, ...]


def hold_out(hashes: NDArray[np.uint64], classes: Sequence[NDArray[np.int64]], share: float) -> Sides:
    """Decide the side of each image from the hash of its content.

    An image is for validation if its hash, as a number from 0 to 1, is below ``share``. So other images do not matter,
    copies are on one side, and every machine decides alike. A class that would have no image on one side gets the one
    whose hash is nearest to ``share``, with its copies. A class of one image, or of copies of one, is trained on.

    Args:
        hashes: Of the contents; uint64 of shape (images,).
        classes: For each class the positions of its images.
        share: Share of the images for validation, between 0 and 1.
    """
    validation = hashes < np.uint64(int(share * 2**HASH_BITS))
    moved = tuple(_to_move(hashes, classes, validation))
    for index in moved:
        validation[hashes == hashes[index]] ^= True
    return Sides(validation, moved)


def _to_move(
    hashes: NDArray[np.uint64], classes: Sequence[NDArray[np.int64]], validation: NDArray[np.bool_]
) -> Iterator[int]:
    chosen = set()
    for members in classes:
        if not len(members):
            continue
        own, held_out = hashes[members], validation[members]
        alone = len(np.unique(own)) == 1
        if held_out.any() != held_out.all() or (alone and not held_out.any()):
            continue
        # All are on one side: the largest hash is nearest from below, the smallest from above.
        nearest = own.argmax() if held_out.all() else own.argmin()
        if int(own[nearest]) not in chosen:
            chosen.add(int(own[nearest]))
            yield int(members[nearest])


def class_members(labels: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return for each class that has images their positions.

    Args:
        labels: Number of each image's class; int64 of shape (images,). Negative: none.
    """
    order = np.argsort(labels, kind='stable')
    starts = np.flatnonzero(np.diff(labels[order]))
    groups = np.split(order, starts + 1) if len(order) else []
    return [members for members in groups if labels[members[0]] >= 0]


def choose_side(
    folder: str, files: FileList, classes: Sequence[NDArray[np.int64]], side: str, share: float
) -> tuple[NDArray[np.bool_], list[str]]:
    """Return which files are on one side, and what there is to say of it.

    Args:
        folder: What the paths are relative to.
        files: The files of both sides.
        classes: For each class the positions of its images.
        side: ``train`` or ``val``.
        share: Share of the images for validation.

    Returns:
        bool of shape (files,), and lines for the user.

    Raises:
        UsageError: If ``share`` is not between 0 and 1.
        InputError: If there is no file on that side.
    """
    check_share(share)
    paths = [path_at(files, index) for index in range(len(files.table))]
    listed = hashlib.blake2b(files.names.tobytes() + files.table[:, :2].tobytes()).digest()
    hashes = once(('hashes', folder, listed), partial(content_hashes, folder, paths))
    validation, moved = hold_out(hashes, classes, share)
    chosen = validation if side == VAL else ~validation
    if not chosen.any():
        use = 'validate' if side == VAL else 'train on'
        raise InputError(
            f'{printable(folder)}: expected images to {use}, got {len(paths):,} images in all, or copies of so few\n'
            'add images, or train with --no-validate'
        )
    return chosen, _tell_moved(paths, validation, moved)


def check_share(share: float) -> None:
    """Refuse a share that leaves one side empty.

    Raises:
        UsageError: If it is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise UsageError(f'--val-share: expected a share of the images between 0 and 1, such as 0.2, got {share}')


def check_split(split: str | None) -> None:
    """Refuse a side that does not exist.

    Raises:
        InputError: If ``split`` is neither None, 'train' nor 'val'.
    """
    if split not in (None, TRAIN, VAL):
        raise InputError(f"split: expected '{TRAIN}' or '{VAL}', got {split!r}")


def _tell_moved(paths: Sequence[str], validation: NDArray[np.bool_], moved: Sequence[int]) -> list[str]:
    lines = []
    for to_validation, use in ((True, 'validate'), (False, 'train')):
        names = [paths[index] for index in moved if validation[index] == to_validation]
        if names:
            lines.append(f'chosen to {use}, because their classes had no other image for it: {list_some(names, 5)}')
    return lines
