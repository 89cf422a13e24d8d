"""Addresses in place of paths."""

from __future__ import annotations


def is_address(source: str) -> bool:
    """Return whether ``source`` is a web address and not a path."""
    return source.startswith(('http://', 'https://'))
