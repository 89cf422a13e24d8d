"""A new zip archive with members of another one, made while it is read.

Two zip readers can see different files in one archive. Python's ``zipfile`` and torch's miniz disagree about archives
with two end records, for example. So torch never reads the original but this one: the headers are made from what
``zipfile`` found, and ``zipfile`` reads the members and verifies their checksums. Nothing is kept in memory.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile
from bisect import bisect_right
from collections.abc import Mapping
from typing import IO, Any

# As in PKWARE's APPNOTE, 4.3.7, 4.3.12 and 4.3.16; stored members, without dates, flags or extra fields.
_LOCAL = struct.Struct('<4s5H3I2H')
_ENTRY = struct.Struct('<4s6H3I5H2I')
_END = struct.Struct('<4s4H2IH')
_VERSION, _FIRST_DATE = 20, 0x21


class RebuiltArchive(io.RawIOBase):
    """A readable stream of an archive of stored members, less than 4 GiB long.

    If a member is read from its start, as torch does, its checksum is verified.

    Args:
        archive: The archive with the members, which has to stay open.
        names: Names of the members there, and their names here.
        read: Content of members that were read before, in case the file changes. Defaults to none.
    """

    def __init__(
        self, archive: zipfile.ZipFile, names: Mapping[str, str], read: Mapping[str, bytes] | None = None
    ) -> None:
        self._archive = archive
        # Bytes, or the name of a member for its content; and where each of them starts.
        self._parts: list[bytes | str] = []
        self._starts = [0]
        self._position = 0
        self._member: IO[bytes] | None = None
        # Kept, because torch's reader replaces it by another error.
        self.damage: zipfile.BadZipFile | None = None
        self._read = dict(read or {})
        self._lay_out({new_name.encode(): archive.getinfo(name) for name, new_name in names.items()})

    def _lay_out(self, members: Mapping[bytes, zipfile.ZipInfo]) -> None:
        directory = b''
        for name, member in members.items():
            sizes = (member.CRC, member.file_size, member.file_size)
            offset = self._starts[-1]
            common = (_VERSION, 0, 0, 0, _FIRST_DATE, *sizes, len(name), 0)
            self._add(_LOCAL.pack(b'PK\x03\x04', *common) + name)
            self._add(self._read.get(member.filename, member.filename), member.file_size)
            directory += _ENTRY.pack(b'PK\x01\x02', _VERSION, *common, 0, 0, 0, 0, offset) + name
        end = (0, 0, len(members), len(members), len(directory), self._starts[-1], 0)
        self._add(directory + _END.pack(b'PK\x05\x06', *end))

    def _add(self, part: bytes | str, size: int | None = None) -> None:
        self._parts.append(part)
        self._starts.append(self._starts[-1] + (len(part) if size is None else size))

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to a position and return it.

        Args:
            offset: The position.
            whence: Reference point, as in ``io.IOBase.seek``. Defaults to the start.
        """
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer until it is full or the archive ends, and return the number of bytes.

        Args:
            buffer: The buffer.
        """
        filled = 0
        while filled < len(buffer) and self._position < self._starts[-1]:
            try:
                content = self._read_part(len(buffer) - filled)
            except zipfile.BadZipFile as error:
                self.damage = error
                raise
            buffer[filled : filled + len(content)] = content
            filled += len(content)
        return filled

    def _read_part(self, size: int) -> bytes:
        """Return up to ``size`` bytes of the part at the position, and move past them."""
        number = bisect_right(self._starts, self._position) - 1
        part, offset = self._parts[number], self._position - self._starts[number]
        size = min(size, self._starts[number + 1] - self._position)
        content = part[offset : offset + size] if isinstance(part, bytes) else self._read_member(part, offset, size)
        self._position += len(content)
        return content

    def _read_member(self, name: str, offset: int, size: int) -> bytes:
        if offset == 0 or self._member is None:
            self._member = self._archive.open(name)
        if self._member.name == name and self._member.tell() == offset:
            content = self._member.read(size)
        else:
            # The search for the end record reads the last few kilobytes.
            with self._archive.open(name) as member:
                member.seek(offset)
                content = member.read(size)
        if len(content) < size:
            raise zipfile.BadZipFile(f'{name} is truncated')
        return content
