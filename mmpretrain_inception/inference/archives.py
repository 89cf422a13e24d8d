"""Images in zip and tar files, read one after another without extracting anything."""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

from mmpretrain_inception.datasets.image_kinds import is_ignored_folder, is_image
from mmpretrain_inception.datasets.transforms.decode import MAX_PIXELS
from mmpretrain_inception.datasets.transforms.read_file import largest_file
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import printable

_ZIP = ('.zip', '.cbz')
_TAR = ('.tar', '.tar.gz', '.tgz', '.tar.bz2', '.tbz2', '.tar.xz', '.txz')
ENDINGS = (*_ZIP, *_TAR)
# What a damaged archive raises.
_DAMAGE = (
    OSError,
    EOFError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    ValueError,
    RuntimeError,
)


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: Its path in the archive.
        used: Whether it counts as an image.
        read: Returns its content. It may be called until the next member is asked for.
    """

    name: str
    used: bool
    read: Callable[[], bytes]


def is_archive(name: str) -> bool:
    """Return whether a file name has the ending of an archive."""
    return name.lower().endswith(ENDINGS)


def members(path: str) -> Iterator[Member]:
    """Yield the files in an archive, in its order. Folders, links and devices are left out.

    Args:
        path: The archive.

    Raises:
        InputError: If it cannot be read, or is damaged before its end.
    """
    try:
        yield from (_in_zip if path.lower().endswith(_ZIP) else _in_tar)(path)
    except _DAMAGE as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'{printable(path)}: the archive cannot be read: {_reason(error)}') from error


def _in_zip(path: str) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():

                def read(info: zipfile.ZipInfo = info) -> bytes:
                    # More than it declares is not believed.
                    with archive.open(info) as file:
                        return _checked(file.read(largest_file(MAX_PIXELS) + 1))

                yield Member(info.filename, _is_used(info.filename), _explained(read))


def _in_tar(path: str) -> Iterator[Member]:
    with tarfile.open(path, 'r|*') as archive:
        for info in archive:
            # It would keep all of them.
            archive.members = []  # type: ignore[attr-defined]
            if info.isreg():

                def read(info: tarfile.TarInfo = info) -> bytes:
                    file = archive.extractfile(info)
                    return _checked(file.read(largest_file(MAX_PIXELS) + 1) if file else b'')

                yield Member(info.name, _is_used(info.name), _explained(read))


def _is_used(name: str) -> bool:
    *folders, file = name.replace('\\', '/').split('/')
    # Names lead nowhere here: nothing is extracted. `./` begins those of many tar files.
    named = (folder for folder in folders if folder not in ('', '.', '..'))
    return is_image(file) and not any(map(is_ignored_folder, named))


def _checked(content: bytes) -> bytes:
    if len(content) > largest_file(MAX_PIXELS):
        raise ValueError(f'expected at most {largest_file(MAX_PIXELS):,} bytes, got more')
    return content


def _explained(read: Callable[[], bytes]) -> Callable[[], bytes]:
    """Return a function that raises a ValueError for whatever is wrong with a member."""

    def explained() -> bytes:
        try:
            return read()
        except (*_DAMAGE, NotImplementedError) as error:
            raise ValueError(_reason(error)) from error

    return explained


def _reason(error: BaseException) -> str:
    reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return printable(' '.join(str(reason).split()))
