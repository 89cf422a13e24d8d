"""Writing tables of predictions."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference.rows import FEATURES, features_of
from mmpretrain_inception.utils.atomic_file import atomic_path

Rows = Iterable[Mapping[str, Any]]
# Rows that are written at once.
_GROUP = 1024


def check_table(path: str) -> None:
    """Refuse a table that could not be written at the end.

    Raises:
        InputError: If its ending is unknown, or the library for it is missing.
    """
    if Path(path).suffix not in WRITERS:
        raise InputError(f'--out {path}: expected a file ending in {", ".join(WRITERS)}')
    if Path(path).suffix == '.parquet':
        _arrow()


def write_table(path: str | Path, names: Sequence[str], rows: Rows, width: int = 0) -> None:
    """Write a table under its name once it is complete.

    Args:
        path: The file, ``.csv``, ``.jsonl`` or ``.parquet``.
        names: The columns.
        rows: Their values, by the names; missing ones are empty.
        width: How many features there are. In CSV each is a column, ``feature_1`` and so on. Defaults to 0.

    Raises:
        InputError: If it cannot be written.
    """
    with atomic_path(path) as partial:
        WRITERS[Path(path).suffix](partial, names, rows, width)


def _write_csv(path: Path, names: Sequence[str], rows: Rows, width: int) -> None:
    header = [name for each in names for name in (_numbered(width) if each == FEATURES else [each])]
    # Names of files need not be UTF-8; here they are as the file system has them.
    with open(path, 'w', newline='', encoding='utf-8', errors='surrogateescape') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(header)
        for row in rows:
            numbers: Sequence[float | None] = features_of(row) or [None] * width
            writer.writerow([value for each in names for value in (numbers if each == FEATURES else [row.get(each)])])


def _numbered(width: int) -> list[str]:
    return [f'feature_{number}' for number in range(1, width + 1)]


def _write_jsonl(path: Path, names: Sequence[str], rows: Rows, width: int) -> None:
    with open(path, 'w', encoding='utf-8') as file:
        for row in rows:
            file.write(json.dumps({name: _value(row, name) for name in names}) + '\n')


def _value(row: Mapping[str, Any], name: str) -> Any:
    return features_of(row) if name == FEATURES else row.get(name)


def _write_parquet(path: Path, names: Sequence[str], rows: Rows, width: int) -> None:
    arrow, parquet = _arrow()
    remaining = iter(rows)
    first = list(islice(remaining, _GROUP))
    # Of several labels an image the scores are text too.
    as_text = any(isinstance(row.get('score'), str) for row in first)
    kinds = {FEATURES: arrow.list_(arrow.float32())}
    number = arrow.string() if as_text else arrow.float32()
    schema = arrow.schema(
        [(name, kinds.get(name, number if name.startswith('score') else arrow.string())) for name in names]
    )
    with parquet.ParquetWriter(str(path), schema) as writer:
        while first:
            columns = {name: [_readable(_value(row, name)) for row in first] for name in names}
            writer.write_table(arrow.table(columns, schema=schema))
            first = list(islice(remaining, _GROUP))


def _readable(value: Any) -> Any:
    """Return text that is UTF-8; a name of a file that is not has escapes."""
    return value.encode(errors='backslashreplace').decode() if isinstance(value, str) else value


def _arrow() -> tuple[Any, Any]:
    try:
        return import_module('pyarrow'), import_module('pyarrow.parquet')
    except ImportError as error:
        raise InputError("a .parquet file needs pyarrow; pip install 'mmpretrain-inception[parquet]'") from error


WRITERS: dict[str, Callable[[Path, Sequence[str], Rows, int], None]] = {
    '.csv': _write_csv,
    '.jsonl': _write_jsonl,
    '.parquet': _write_parquet,
}
