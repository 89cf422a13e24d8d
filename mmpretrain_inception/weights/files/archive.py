"""Zip archives of weights. Archives that would expand are refused."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from mmpretrain_inception.errors import InputError

ZIP_START = b'PK\x03\x04'
# The directory of a checkpoint of Inception V3 has 1,500 members in 100 kB. zipfile takes a kilobyte for each.
_MAX_DIRECTORY = 2**22


class _SmallDirectory:
    """Limits the size of the directory, which ``zipfile`` reads at once.

    Args:
        file: The file.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        """Read from the file, but refuse a directory that is too large."""
        if size > _MAX_DIRECTORY:
            raise zipfile.BadZipFile(f'its directory has {size:,} bytes; expected at most {_MAX_DIRECTORY:,}')
        return self._file.read(size)


@contextmanager
def open_archive(file: BinaryIO, origin: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive.

    Args:
        file: The file, which stays open.
        origin: Its name, for messages.

    Raises:
        InputError: If it is damaged, which may show only inside the block, or has too many members.
    """
    try:
        archive = zipfile.ZipFile(cast('BinaryIO', _SmallDirectory(file)))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise _damage(origin, error) from error
    archive.fp = file
    with archive:
        try:
            yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            raise _damage(origin, error) from error


def _damage(origin: str, error: Exception) -> InputError:
    return InputError(f'{origin} is damaged or truncated ({error}); download or copy it again')


def stored_members(archive: zipfile.ZipFile, held: int, origin: str) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive that does not expand. torch saves without compression.

    Args:
        archive: The archive.
        held: Size of its file in bytes.
        origin: Its name, for messages.

    Raises:
        InputError: If members are compressed, encrypted, overlapping, or share a name.
    """
    members = archive.infolist()
    if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
        raise InputError(f'{origin} was not opened: it is compressed or encrypted, which torch.save never does')
    if sum(member.file_size for member in members) > held:
        raise InputError(f'{origin} was not opened: its members claim to be larger than the file')
    # torch finds members whatever the case of their names.
    if len({member.filename.lower() for member in members}) < len(members):
        raise InputError(f'{origin} was not opened: several of its members have the same name')
    return {member.filename: member for member in members}
