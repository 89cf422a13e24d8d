"""What kind of thing a user's data are: folders for training and validation, one folder of classes, or a table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from mmpretrain_inception.datasets.csv_table import CSV_ENDINGS, read_table
from mmpretrain_inception.datasets.folder_scan import list_folders
from mmpretrain_inception.datasets.hold_out import TRAIN, VAL
from mmpretrain_inception.datasets.image_kinds import is_image
from mmpretrain_inception.datasets.one_reading import once
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some, printable

TEST = 'test'
# Names of folders, in lower case.
_NAMES: Mapping[str, tuple[str, ...]] = {
    TRAIN: ('train', 'training'),
    VAL: ('val', 'valid', 'validation'),
    TEST: ('test', 'testing'),
}
FORMS = 'a folder with train/<class>/* and val/<class>/*, a folder with <class>/*, or a .csv file of path,label'


@dataclass(frozen=True)
class Layout:
    """Where a user's images are.

    Attributes:
        root: The folder or table, an absolute path.
        is_table: Whether it is a table.
        sides: What holds the images for ``train``, ``val`` and ``test``, as far as they are apart: names of folders, or
            values in a table. Empty: the root has one folder for each class, or the table does not tell.
        remarks: What is left out, one line each.
    """

    root: str
    is_table: bool = False
    sides: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def by_content(self) -> bool:
        """Whether the content of each file decides if it is for training or for validation."""
        return VAL not in self.sides

    def dataset(self, phase: str) -> dict[str, Any]:
        """Return settings of the dataset of a phase: of a :class:`CsvImages` for a table, else an :class:`ImageFolder`.

        Args:
            phase: ``train``, ``val`` or ``test``.
        """
        side = self.side_of(phase)
        if self.is_table:
            return dict(ann_file=self.root, split=side)
        if side == TEST or not self.by_content:
            return dict(data_root=self.root, data_prefix=self.sides.get(side, side))
        # One folder holds the images of both sides.
        return dict(data_root=self.root, data_prefix=self.sides.get(TRAIN, TRAIN if self.sides else ''), split=side)

    def side_of(self, phase: str) -> str:
        """Return which images a phase uses: those for validation are tested on where there are none for testing."""
        return VAL if phase == TEST and TEST not in self.sides else phase


def find_layout(data: str) -> Layout:
    """Look what kind of data a folder or file holds.

    Args:
        data: The path; ``~`` is the home folder.

    Raises:
        InputError: If it is none of the three, or two folders have the same meaning.
    """
    root = Path(data).expanduser()
    if root.is_file() and root.suffix.lower() in CSV_ENDINGS:
        path = os.path.abspath(root)
        sides = once(('table', path), partial(read_table, path)).splits
        return Layout(path, is_table=True, sides={side: side for side in (TRAIN, VAL, TEST) if side in sides})
    if not root.is_dir():
        what = 'got another file' if root.exists() else 'but there is none'
        raise InputError(f'{printable(root)}: expected {FORMS}, {what}')
    names = list_folders(str(root))
    folders, remarks = _side_folders(str(root), names)
    if not folders:
        _check_flat(str(root), names)
    return Layout(str(root.absolute()), sides=folders, remarks=tuple(remarks))


def _side_folders(root: str, names: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return the folders for training, validation and testing, unless these are names of classes."""
    found = {side: [name for name in names if name.lower() in known] for side, known in _NAMES.items()}
    with_classes = {name for side in found.values() for name in side if list_folders(os.path.join(root, name))}
    others = sorted(set(names) - {name for several in found.values() for name in several})
    # A class may be called `train`: then it holds images and no folders, and other classes stand beside it.
    if not with_classes and (others or not names) and not (found[TRAIN] and found[VAL]):
        return {}, []
    for side, several in found.items():
        if len(several) > 1:
            raise InputError(f'{printable(root)}: expected one folder for {side}, got {list_some(several)}; rename one')
    folders = {side: several[0] for side, several in found.items() if several}
    remarks = []
    if TEST in folders and folders[TEST] not in with_classes:
        remarks.append(f'{folders.pop(TEST)} is not used: it has no folders of classes')
    if others:
        remarks.append(f'folders beside them are not used: {list_some(others, 5)}')
    return folders, remarks


def _check_flat(root: str, names: Sequence[str]) -> None:
    if not names:
        images = sum(is_image(name) for name in os.listdir(root))
        there = f'{images:,} images without a folder of their class' if images else 'no folder'
        raise InputError(f'{printable(root)}: expected {FORMS}, got {there}')
    inner = list_folders(os.path.join(root, names[0]))
    if len(names) == 1 and inner:
        raise InputError(
            f'{printable(root)}: expected folders of at least two classes, got only {printable(names[0])}, which holds '
            f'{list_some(inner)}; did you mean --data {printable(os.path.join(root, names[0]))}?'
        )
