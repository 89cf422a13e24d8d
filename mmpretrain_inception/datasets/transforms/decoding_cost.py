"""Finding files that would take far longer to decode than their size suggests, before they are decoded."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

# Progressive files of libjpeg have 10 scans, and mozjpeg writes a few more. Each scan costs a pass over the whole
# image, however few bytes it takes in the file. libtiff has the same limit for JPEG data within TIFF files.
MAX_SCANS = 100
# Strips or tiles of a TIFF file: an image of 80 million pixels has 20,000 tiles of 64 x 64. Pillow keeps an object for
# each, 9 million of which take 50 s and 2.6 GB.
MAX_TIFF_VALUES = 100_000
# Pillow reads on from the beginning of a block after each comment: 5 million comments take minutes.
MAX_COMMENTS = 1000

_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
# Between markers, 0xFF is followed by 0 where it is data, and by 0xD0 to 0xD7 where decoding restarts.
_NEXT_MARKER = re.compile(rb'\xff+([^\x00\xd0-\xd7\xff])')
_PLAIN_NETPBM = (b'P1', b'P2', b'P3')
# First bytes of a TIFF file: the byte order, and for BigTIFF with other formats of offset, number of tags and tag.
_TIFF = {b'II*\0': '<', b'MM\0*': '>'}
_BIG_TIFF = {b'II+\0': '<', b'MM\0+': '>'}
# Types of TIFF values that Pillow keeps as bytes: BYTE, ASCII, UNDEFINED.
_BYTES = (1, 2, 7)


def refuse_costly_header(content: bytes) -> None:
    """Refuse what would take long to open.

    Args:
        content: The bytes of a file of any kind.

    Raises:
        ValueError: If a TIFF file has a list of too many values, or a Netpbm file of text too many comments.
    """
    if content[:4] in (*_TIFF, *_BIG_TIFF) and any(count > MAX_TIFF_VALUES for count in _tiff_counts(content)):
        raise ValueError(f'expected at most {MAX_TIFF_VALUES:,} strips or tiles in a TIFF file, got more')
    if content[:2] in _PLAIN_NETPBM and content.count(b'#') > MAX_COMMENTS:
        raise ValueError(f'expected at most {MAX_COMMENTS:,} comments in a Netpbm file, got more')


def refuse_many_scans(content: bytes) -> None:
    """Refuse a JPEG file of more than :data:`MAX_SCANS` scans.

    Raises:
        ValueError: If it has more.
    """
    # First an upper bound that takes next to no time: in it, thumbnails and what follows the image count, too.
    if content.count(b'\xff\xda') > MAX_SCANS and _count_scans(content) > MAX_SCANS:
        raise ValueError(f'expected at most {MAX_SCANS} scans in a JPEG file, got more')


def _count_scans(content: bytes) -> int:
    """Count by following the markers, as decoders do, up to one scan above the limit."""
    scans, position = 0, 2
    while scans <= MAX_SCANS:
        match = _NEXT_MARKER.search(content, position)
        if match is None or match[1][0] == _END_OF_IMAGE:
            break
        marker = match[1][0]
        scans += marker == _START_OF_SCAN
        # TEM and a second start of image have no length.
        length = 0 if marker in (0x01, 0xD8) else int.from_bytes(content[match.end() : match.end() + 2], 'big')
        position = match.end() + length
    return scans


def _tiff_counts(content: bytes) -> Iterator[int]:
    """Yield how many numbers each tag of the first image holds."""
    magic = content[:4]
    if magic in _TIFF:
        order, offset_at, offset, number, tag = _TIFF[magic], 4, 'I', 'H', 'HHI4x'
    else:
        order, offset_at, offset, number, tag = _BIG_TIFF[magic], 8, 'Q', 'Q', 'HHQ8x'
    try:
        (start,) = struct.unpack_from(order + offset, content, offset_at)
        (tags,) = struct.unpack_from(order + number, content, start)
        start += struct.calcsize(order + number)
        for index in range(tags):
            _, kind, count = struct.unpack_from(order + tag, content, start + index * struct.calcsize(order + tag))
            if kind not in _BYTES:
                yield count
    except (struct.error, OverflowError):
        # The list of tags ends before its time, which Pillow reports.
        return
