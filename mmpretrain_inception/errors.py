"""Exceptions that stand for a mistake in what a user handed in."""


class InputError(ValueError):
    """A file, folder, image or setting from the user that cannot be used.

    Its message is one or two lines for that user: what was expected, what came and what to do. The tools print it
    without a traceback and exit with status 1; any other exception is a bug and keeps its traceback.
    """


class UsageError(InputError):
    """A tool that was called wrongly; the tools exit with status 2."""
