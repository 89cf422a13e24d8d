"""Reading each folder once in a command, which needs its files to plan, to train on and to validate on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from mmengine.logging import MMLogger

_T = TypeVar('_T')

# What was read within the block that is running; None outside of any.
_kept: dict[Hashable, Any] | None = None


@contextmanager
def reading_once() -> Iterator[None]:
    """Keep what is read from folders and lists until the end of the block, which is a whole command.

    What is kept are arrays that datasets hold anyway. Files that appear in the meantime are not seen. A block within a
    block is part of the outer one.
    """
    global _kept
    outer = _kept
    _kept = {} if outer is None else outer
    try:
        yield
    finally:
        _kept = outer


def once(key: Hashable, read: Callable[[], _T]) -> _T:
    """Return what ``read`` returns, or returned before for this key in the block of :func:`reading_once`.

    Args:
        key: Everything that the result depends on.
        read: Reads it.
    """
    if _kept is None:
        return read()
    if key not in _kept:
        _kept[key] = read()
    return _kept[key]


def remark(text: str) -> None:
    """Log a warning, once in a block of :func:`reading_once`.

    Args:
        text: One line.
    """
    once(('remark', text), lambda: MMLogger.get_current_instance().warning(text))


def take_remarks(texts: list[str]) -> list[str]:
    """Return remarks that were not made yet, for somebody else to make: :func:`remark` will not repeat them.

    Args:
        texts: The remarks, a line each.
    """
    new = [text for text in texts if _kept is None or ('remark', text) not in _kept]
    if _kept is not None:
        _kept.update((('remark', text), None) for text in new)
    return new
