"""Tell mistakes in a config from bugs."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.registry import build_functions, registry
from mmengine.runner import _flexible_runner, runner

from mmpretrain_inception.errors import InputError

_PACKAGE = __name__.partition('.')[0]
# Where mmengine builds what a config names. An error that one of these files raises itself is about the config.
_REGISTRIES = (build_functions.__file__, registry.__file__)
_RUNNERS = (runner.__file__, _flexible_runner.__file__)


@contextmanager
def settings_explained(name: str) -> Iterator[None]:
    """Report mistakes in a config in one line.

    These are errors raised by a registry itself: an unknown type, an argument that a class does not take, a setting
    that is not a dict; and optional libraries that are not installed. Errors raised inside a class that is being built,
    or anywhere else, keep their traceback.

    Args:
        name: The config file, for the message.

    Raises:
        InputError: If such a setting was found.
    """
    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        if (error.name or '').startswith(_PACKAGE):
            raise
        raise InputError(f'{name}: a setting needs a library that is not installed: {_in_one_line(error)}') from error
    except (KeyError, TypeError) as error:
        if not _is_about_config(error):
            raise
        raise InputError(f'{name}: a setting does not fit: {_in_one_line(error)}') from error


def _is_about_config(error: Exception) -> bool:
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    if raised_in in _RUNNERS:
        # A Runner calls loaders and loops with what the config has.
        return 'keyword argument' in str(error) or 'positional argument' in str(error)
    return raised_in in _REGISTRIES


def _in_one_line(error: Exception) -> str:
    text = ' '.join(str(error.args[0] if error.args else error).split())
    # mmengine adds where to read on.
    return text.partition(' Please check whether')[0].partition(' More details')[0][:300]
