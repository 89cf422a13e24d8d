"""How messages list things."""

from __future__ import annotations

from collections.abc import Sequence


def list_some(names: Sequence[object], most: int = 3) -> str:
    """Join names for a message: all of them, or the first few and how many more there are.

    Args:
        names: What to list.
        most: How many to name. Defaults to 3.
    """
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(map(str, names[:most])) + more
