"""Zip archives of weights: refused if they would grow, and copied so that torch sees what was checked.

Two zip readers can see different files in the same archive. Python's ``zipfile`` and torch's miniz disagree about
archives with two end records, for example. So torch never reads the original: it gets a fresh archive of the members
that ``zipfile`` read, each of them checked against its CRC.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mmpretrain_inception.errors import InputError

ZIP_START = b'PK\x03\x04'
_DIRECTORY_ENTRY = b'PK\x01\x02'
# A checkpoint of Inception V3 has about 1,500; zipfile takes a kilobyte and 15 microseconds for each.
_MAX_MEMBERS = 50_000


@contextmanager
def open_archive(content: bytes, origin: str) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive that is in memory.

    Args:
        content: The whole file.
        origin: Its name, for messages.

    Raises:
        InputError: If it is damaged, within the block too, or has more members than any file of weights.
    """
    members = content.count(_DIRECTORY_ENTRY)
    if members > _MAX_MEMBERS:
        raise InputError(f'{origin} was not opened: expected at most {_MAX_MEMBERS:,} members, got {members:,}')
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield archive
    except InputError:
        raise
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError, NotImplementedError) as error:
        raise InputError(f'{origin} is damaged or was cut short ({error}); download or copy it again') from error


def stored_members(archive: zipfile.ZipFile, held: int, origin: str) -> dict[str, zipfile.ZipInfo]:
    """Return the members of an archive that cannot become larger than its file.

    torch compresses nothing that it saves.

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


def copy_members(archive: zipfile.ZipFile, names: Mapping[str, str]) -> io.BytesIO:
    """Write members into a fresh archive in memory.

    Args:
        archive: The archive.
        names: The members to copy, and their names in the copy.
    """
    copied = io.BytesIO()
    with zipfile.ZipFile(copied, 'w') as fresh:
        for name, new_name in names.items():
            fresh.writestr(new_name, archive.read(name))
    copied.seek(0)
    return copied
