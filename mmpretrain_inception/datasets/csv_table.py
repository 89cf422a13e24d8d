"""Tables of images with their labels, as spreadsheets and pandas write them."""

from __future__ import annotations

import csv
import io
import os
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from mmpretrain_inception.datasets.image_kinds import is_image
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some, printable

CSV_ENDINGS = ('.csv', '.tsv')
# Between the labels of an image.
SEPARATOR = '|'

_DELIMITERS = ',;\t'
_PATH, _LABEL, _SPLIT = 'path', 'label', 'split'
# Names of columns, in lower case, with underscores for spaces and hyphens.
_HEADERS: dict[str, tuple[str, ...]] = {
    _PATH: (
        *('path', 'file', 'filename', 'file_name', 'filepath', 'file_path', 'img', 'img_path', 'img_name'),
        *('image', 'image_path', 'image_name', 'image_file', 'image_filename', 'photo', 'picture'),
    ),
    _LABEL: ('label', 'labels', 'class', 'classes', 'class_name', 'category', 'categories', 'target', 'tag', 'tags'),
    _SPLIT: ('split', 'set', 'subset', 'part', 'partition', 'phase', 'usage'),
}
_SPLITS: dict[str, tuple[str, ...]] = {
    'train': ('train', 'training'),
    'val': ('val', 'valid', 'validation', 'dev'),
    'test': ('test', 'testing'),
}


class Row(NamedTuple):
    """An image of a table.

    Attributes:
        line: The line of the file, counted from 1.
        path: The image, relative to the table's folder or absolute.
        labels: Names of its classes.
        split: ``train``, ``val`` or ``test``; '' where the table does not say.
    """

    line: int
    path: str
    labels: tuple[str, ...]
    split: str


class Table(NamedTuple):
    """The content of a table.

    Attributes:
        rows: The images, in the order of the file.
        several_labels: Whether an image may have several labels.
        unused: Names of columns that are not used.
    """

    rows: list[Row]
    several_labels: bool
    unused: list[str]

    @property
    def splits(self) -> set[str]:
        """The sides that its rows name; none if it has no column for that."""
        return {row.split for row in self.rows} - {''}

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted."""
        return sorted({label for row in self.rows for label in row.labels})


def read_table(path: str) -> Table:
    """Read a table with one image a row: its path, its label or labels, and perhaps its split.

    Columns are found by the names in the first row: ``path`` (or file, image, ...), ``label`` (class, category, ...)
    and ``split`` (set, subset, ...; train, val or test). Without such a row they are in this order. Between cells there
    are commas, semicolons or tabs, and between the labels of an image ``|``.

    Args:
        path: The file, in UTF-8.

    Raises:
        InputError: If it cannot be read, has no such columns, or a row cannot be used.
    """
    lines = list(_cells(path))
    if not lines:
        raise InputError(f'{printable(path)}: expected rows of path,label, got an empty file')
    columns, first = _find_columns(path, lines[0][1])
    rows = [_row(path, line, cells, columns) for line, cells in lines[first:]]
    if not rows:
        raise InputError(f'{printable(path)}: expected rows of path,label, got only the names of the columns')
    several = any(SEPARATOR in cells[columns[_LABEL]] for _, cells in lines[first:])
    if not several:
        _refuse(path, [row.line for row in rows if not row.labels], 'no label')
    if _SPLIT in columns:
        _refuse(path, [row.line for row in rows if not row.split], f'no {_SPLIT}; expected train, val or test')
    _refuse_two_meanings(path, rows)
    unused = [name for index, name in enumerate(lines[0][1]) if index not in columns.values()] if first else []
    return Table(rows, several, unused)


def _cells(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, with the number of the line on which each ends."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f'{printable(path)} cannot be read: {error.strerror or error}') from error
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) or b'\0' in content[:1000]:
        raise InputError(f'{printable(path)} cannot be read: expected UTF-8 text, got something else; save it as UTF-8')
    # Names are bytes for the file system.
    text = os.fsdecode(content.removeprefix(BOM_UTF8))
    head = text.partition('\n')[0]
    reader = csv.reader(
        io.StringIO(text, newline=''), delimiter=max(_DELIMITERS, key=head.count), skipinitialspace=True
    )
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as error:
        raise InputError(f'{printable(path)}: line {reader.line_num}: {error}') from error


def _find_columns(path: str, first: Sequence[str]) -> tuple[dict[str, int], int]:
    """Return the position of each column by its meaning, and that of the first row with an image."""
    names = [name.lower().replace(' ', '_').replace('-', '_') for name in first]
    found = {
        meaning: [index for index, name in enumerate(names) if name in known] for meaning, known in _HEADERS.items()
    }
    for meaning, indices in found.items():
        if len(indices) > 1:
            shown = ' and '.join(printable(first[index]) for index in indices)
            raise InputError(f'{printable(path)}: expected one column for the {meaning}, got {shown}; remove one')
    columns = {meaning: indices[0] for meaning, indices in found.items() if indices}
    if _PATH in columns and _LABEL in columns:
        return columns, 1
    if is_image(first[0]) and len(first) in (2, 3):
        return dict(zip((_PATH, _LABEL, _SPLIT), range(len(first)))), 0
    raise InputError(
        f'{printable(path)}: expected a first row path,label or path,label,split, got {list_some(first, 5)}\n'
        f'other names for path: {", ".join(_HEADERS[_PATH][1:5])}; for label: {", ".join(_HEADERS[_LABEL][2:6])}'
    )


def _row(path: str, line: int, cells: Sequence[str], columns: dict[str, int]) -> Row:
    if len(cells) <= max(columns.values()):
        _refuse(path, [line], f'{len(cells)} of {max(columns.values()) + 1} cells')
    image = cells[columns[_PATH]]
    if not image:
        _refuse(path, [line], 'no path')
    labels = dict.fromkeys(label.strip() for label in cells[columns[_LABEL]].split(SEPARATOR))
    split = cells[columns[_SPLIT]] if _SPLIT in columns else ''
    known = next((name for name, names in _SPLITS.items() if split.lower() in names), '')
    if split and not known:
        _refuse(path, [line], f'the {_SPLIT} {printable(split)}; expected train, val or test')
    return Row(line, image, tuple(label for label in labels if label), known)


def _refuse(path: str, lines: Sequence[int], what: str) -> None:
    if lines:
        plural = 's' if len(lines) > 1 else ''
        have = 'have' if plural else 'has'
        raise InputError(f'{printable(path)}: line{plural} {list_some(lines)} {have} {what}')


def _refuse_two_meanings(path: str, rows: Sequence[Row]) -> None:
    """Refuse a path with other labels, or on another side, in another row."""
    known: dict[str, Row] = {}
    for row in rows:
        first = known.setdefault(row.path, row)
        if first[2:] != row[2:]:
            _tell_two_meanings(path, first, row)


def _tell_two_meanings(path: str, first: Row, second: Row) -> NoReturn:
    same = first.labels == second.labels
    meanings = [row.split if same else SEPARATOR.join(row.labels) for row in (first, second)]
    advice = '' if same else f'; an image with several labels has one row, with {SEPARATOR} between them'
    raise InputError(
        f'{printable(path)}: {printable(first.path)} is {printable(" and ".join(meanings))} '
        f'(lines {first.line} and {second.line}){advice}'
    )
