"""Names in messages."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Control characters, line separators, marks that reverse the direction of text, and halves of surrogate pairs, which is
# how Python represents bytes of a file name that are not UTF-8.
_UNPRINTABLE = re.compile('[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]')


def printable(name: object) -> str:
    r"""Return a name as text that every terminal, log and file can take, on one line.

    Args:
        name: A file name, class name or anything else from outside. Ordinary names come back as they are.

    Returns:
        The name with control characters and undecodable bytes as escapes, for example ``caf\xe9.jpg``.
    """
    return _UNPRINTABLE.sub(_escape, str(name))


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        return f'\\x{code - 0xDC00:02x}'
    return match[0].encode('unicode_escape').decode()


def list_some(names: Sequence[object], most: int = 3) -> str:
    """Join names for a message: all of them, or the first few and the number of others.

    Args:
        names: What to list.
        most: How many to name. Defaults to 3.
    """
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(map(printable, names[:most])) + more


def counted(number: int, unit: str) -> str:
    """Return a number with what it counts, in the singular or the plural: ``1 image``, ``1,200 images``."""
    return f'{number:,} {unit}' if number == 1 else f'{number:,} {unit}{"es" if unit.endswith("ss") else "s"}'
