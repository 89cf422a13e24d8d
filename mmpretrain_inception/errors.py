"""Exceptions for input that cannot be used."""

from __future__ import annotations


class InputError(ValueError):
    """A file, folder, image or setting from the user that cannot be used.

    Its message is one or two lines for that user: what was expected, what was found and what to do. The tools print it
    without a traceback and exit with status 1; any other exception is a bug and keeps its traceback.
    """


class UsageError(InputError):
    """A wrong call of a tool, which exits with status 2."""


class BrokenImageError(InputError):
    """An image file that cannot be decoded, or that is refused for its size.

    Args:
        path: The file, as it should be printed.
        reason: What is wrong with it. Defaults to None: ``path`` is the whole message, which is how a data loader
            creates the exceptions of its workers again.
    """

    def __init__(self, path: str, reason: str | None = None) -> None:
        super().__init__(path if reason is None else f'{path}: {reason}')
        self.path = path
        self.reason = reason
