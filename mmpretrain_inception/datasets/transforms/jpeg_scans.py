"""Counting the scans of a JPEG file before it is decoded."""

from __future__ import annotations

import re

# Progressive files of libjpeg have 10 scans, and mozjpeg writes a few more. Each scan costs a pass over the whole
# image, however few bytes it takes in the file. libtiff has the same limit for JPEG data within TIFF files.
MAX_SCANS = 100

_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
# Between markers of a scan: 0xFF is followed by 0 where it is data, and by 0xD0 to 0xD7 at restarts.
_NEXT_MARKER = re.compile(rb'\xff+([^\x00\xd0-\xd7\xff])')


def has_too_many_scans(content: bytes) -> bool:
    """Return whether a JPEG file has more than :data:`MAX_SCANS` scans.

    Args:
        content: The bytes of the file.
    """
    # An upper bound first, which takes next to no time: thumbnails and what follows the image count, too.
    return content.count(b'\xff\xda') > MAX_SCANS and _count_scans(content) > MAX_SCANS


def _count_scans(content: bytes) -> int:
    """Count by following the markers, as decoders do, up to one scan above the limit."""
    scans, position = 0, 2
    while scans <= MAX_SCANS:
        marker = _NEXT_MARKER.search(content, position)
        if marker is None or marker[1][0] == _END_OF_IMAGE:
            break
        scans += marker[1][0] == _START_OF_SCAN
        position = marker.end() + _segment_length(content, marker.end(), marker[1][0])
    return scans


def _segment_length(content: bytes, start: int, marker: int) -> int:
    # A second start-of-image marker and TEM stand alone.
    return 0 if marker in (0x01, 0xD8) else int.from_bytes(content[start : start + 2], 'big')
