"""Finding what is to be predicted: files, folders, patterns, lists, addresses and archives."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from mmpretrain_inception.datasets.folder_scan import find_images
from mmpretrain_inception.datasets.image_kinds import IMAGE_EXTENSIONS, is_image, kind_of
from mmpretrain_inception.datasets.list_file import read_lines
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference.archives import Member, is_archive, members
from mmpretrain_inception.utils.addresses import is_address
from mmpretrain_inception.utils.wording import list_some, printable

Sample = dict[str, Any]


class Entry(NamedTuple):
    """An image to predict.

    Attributes:
        name: The file, the address, or the archive with the path in it.
        archive: The archive that holds it, or None.
        position: Its position among the images of the archive.
    """

    name: str
    archive: str | None = None
    position: int = 0


class Unreadable(NamedTuple):
    """An image that cannot be used.

    Attributes:
        reason: Why.
    """

    reason: str


class Listing:
    """The images that inputs name, in order. They are kept on the disk, so that a million of them take no memory.

    Args:
        inputs: Files, folders, patterns, ``@FILE`` for a list, ``-`` for a list on standard input, addresses, archives.

    Attributes:
        count: How many there are.
        digest: Digits that only the same names in the same order have.
        longest: Length of the longest name.
        unused: How many other files there are of each kind.
        skipped: Links that were not followed, each with the reason.

    Raises:
        InputError: If an input names nothing, or cannot be read.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        self.count, self.longest = 0, 0
        self.unused: Counter[str] = Counter()
        self.skipped: list[str] = []
        self._file = tempfile.TemporaryFile('w+')  # noqa: SIM115 - open as long as the listing
        digest = hashlib.sha256()
        for text in inputs:
            for entry in self._expand(text):
                line = json.dumps(entry)
                digest.update(f'{line}\n'.encode())
                self._file.write(f'{line}\n')
                self.count += 1
                self.longest = max(self.longest, len(printable(entry.name)))
        self.digest = digest.hexdigest()

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Yield the images from a position on."""
        self._file.seek(0)
        for line in islice(self._file, start, None):
            yield Entry(*json.loads(line))

    def samples(self, start: int = 0) -> Iterator[tuple[Entry, Sample | Unreadable]]:
        """Yield the images from a position on as the pipeline's first transform gets them.

        Files and addresses are not read; members of archives are, one at a time.
        """
        reader: Iterator[Member] = iter(())
        at: tuple[str | None, int] = (None, 0)
        for entry in self.entries(start):
            if entry.archive is None:
                yield entry, dict(img_path=entry.name)
                continue
            if at != (entry.archive, entry.position):
                reader = islice(_used_members(entry.archive), entry.position, None)
            at = (entry.archive, entry.position + 1)
            yield entry, _content(entry.name, reader)

    def _expand(self, text: str) -> Iterator[Entry]:
        if text == '-':
            yield from self._listed(_lines_of_stdin())
        elif text.startswith('@') and not os.path.exists(text):
            yield from self._listed(line for _, line in read_lines(text[1:]))
        elif is_address(text) or os.path.lexists(os.path.expanduser(text)):
            yield from self._named(text)
        elif glob.has_magic(text):
            found = sorted(glob.iglob(os.path.expanduser(text), recursive=True))
            if not found:
                raise InputError(f'{printable(text)}: expected a pattern that fits files, got one that fits none')
            for path in found:
                # With `**` the files in a folder fit the pattern themselves.
                if os.path.isfile(path) and (is_image(path) or is_archive(path)):
                    yield from self._named(path)
                elif not os.path.isdir(path):
                    self.unused[kind_of(path)] += 1
        else:
            raise InputError(
                f'{printable(text)}: expected a file, folder, pattern, @LIST, - or address; there is no such file'
            )

    def _listed(self, lines: Iterator[str]) -> Iterator[Entry]:
        for line in lines:
            yield from self._named(line)

    def _named(self, text: str) -> Iterator[Entry]:
        """Yield what one name means. A file that is not there or no image is reported when it is read."""
        if is_address(text):
            yield Entry(text)
            return
        path = os.path.expanduser(text)
        if os.path.isdir(path):
            found = find_images(path, '', IMAGE_EXTENSIONS)
            self.unused += found.unused
            self.skipped += found.skipped
            yield from (Entry(os.path.join(path, inside)) for inside in found.paths)
        elif is_archive(path) and os.path.isfile(path):
            position = 0
            for member in members(path):
                if member.used:
                    yield Entry(f'{path}/{member.name}', path, position)
                    position += 1
                else:
                    self.unused[kind_of(member.name)] += 1
        else:
            yield Entry(path)


def _lines_of_stdin() -> Iterator[str]:
    for line in sys.stdin.buffer:
        text = line.strip()
        if text:
            yield os.fsdecode(text)


def _used_members(archive: str) -> Iterator[Member]:
    return (member for member in members(archive) if member.used)


def _content(name: str, reader: Iterator[Member]) -> Sample | Unreadable:
    try:
        return dict(img_path=name, img_bytes=next(reader).read())
    except ValueError as error:
        return Unreadable(str(error))
    except StopIteration:
        return Unreadable('it is no longer in the archive')


def names_several(text: str) -> bool:
    """Return whether an input may name several images: a folder, a pattern, a list or an archive."""
    path = os.path.expanduser(text)
    if is_address(text) or (os.path.isfile(path) and not is_archive(path)):
        return False
    return os.path.isdir(path) or is_archive(path) or text.startswith('@') or glob.has_magic(text)


def refuse_nothing(listing: Listing, inputs: Sequence[str], unused: str) -> None:
    """Refuse inputs without images.

    Args:
        listing: What they hold.
        inputs: What the user named.
        unused: The other files, in words.

    Raises:
        InputError: If there is no image.
    """
    if not listing.count:
        raise InputError(f'{list_some(inputs)}: expected images, found {unused or "none"}')
