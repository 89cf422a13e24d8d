"""Results of an unfinished run, from which the next run of the same command goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import printable

_SUFFIX = '.unfinished'


class Journal:
    """A file beside the result, to which rows are only added: a line for each batch, after a line about the run.

    A line counts when it is complete, so a process may be killed at any time. The same command goes on after the last
    one; another command begins anew.

    Args:
        result: The file that the rows are for.
        run: What the rows depend on: model, images, options. JSON values.

    Attributes:
        done: How many rows there are.
        failed: How many of them are of images that cannot be used.
        replaced: What of an earlier run is different, so that it begins anew; '' if nothing.

    Raises:
        InputError: If another process writes the same result.
    """

    def __init__(self, result: Path, run: Mapping[str, Any]) -> None:
        self.path = result.with_name(f'{result.name}{_SUFFIX}')
        self._lock = FileLock(f'{self.path}.lock')
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f'{printable(result)}: another process is writing it; wait, or name another file'
            ) from error
        self.done = self.failed = 0
        self.replaced = ''
        self._header = json.dumps(run, sort_keys=True)
        self._file = open(self.path, 'a+b')  # noqa: SIM115 - open as long as the journal
        self._recover(run)

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file, which stays until :meth:`remove`."""
        self._file.close()
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the rows of a batch."""
        self._file.write(json.dumps(rows).encode() + b'\n')
        self._file.flush()
        self._count(rows)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield all rows in order."""
        self._file.flush()
        with open(self.path, 'rb') as file:
            file.readline()
            for line in file:
                yield from json.loads(line)

    def remove(self) -> None:
        """Remove the file, after the result has its name."""
        self.path.unlink(missing_ok=True)

    def _count(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self.done += len(rows)
        self.failed += sum(row['error'] is not None for row in rows)

    def _recover(self, run: Mapping[str, Any]) -> None:
        """Keep the complete lines of the same run; remove everything else."""
        self._file.seek(0)
        earlier = _parsed(self._file.readline())
        if earlier != json.loads(self._header):
            if isinstance(earlier, dict):
                others = [name for name, value in run.items() if earlier.get(name) != value]
                self.replaced = ', '.join(others)
            self._file.truncate(0)
            self._file.write(self._header.encode() + b'\n')
            self._file.flush()
            return
        complete = self._file.tell()
        for line in iter(self._file.readline, b''):
            rows = _parsed(line)
            if not isinstance(rows, list):
                break
            self._count(rows)
            complete = self._file.tell()
        self._file.truncate(complete)
        self._file.seek(0, os.SEEK_END)


def _parsed(line: bytes) -> Any:
    if not line.endswith(b'\n'):
        return None
    try:
        return json.loads(line)
    except ValueError:
        return None
