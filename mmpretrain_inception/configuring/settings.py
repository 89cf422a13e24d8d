"""Tell mistakes in a config from bugs."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mmengine.registry import build_functions, registry
from mmengine.runner import _flexible_runner, runner

from mmpretrain_inception.configuring.options import ConfigOptions
from mmpretrain_inception.errors import InputError

_PACKAGE = __name__.partition('.')[0]
# Where mmengine builds what a config names. An error that one of these files raises itself is about the config.
_REGISTRIES = (build_functions.__file__, registry.__file__)
_RUNNERS = (runner.__file__, _flexible_runner.__file__)


# How Python reports an argument that a function does not take.
_UNEXPECTED = re.compile(r"got an unexpected keyword argument '(\w+)'")


@contextmanager
def settings_explained(options: ConfigOptions) -> Iterator[None]:
    """Report a setting that nothing can be built from, in one line.

    These are errors that a registry raises itself, such as for a type that nobody registered; an argument or a value
    that a class does not take, if the user set it; and an optional library that is not installed. What else is raised
    inside a class that is being built, or anywhere, keeps its traceback.

    Args:
        options: The config file, for the message, and what the user set in it.

    Raises:
        InputError: If such a setting was found.
    """
    name = options.config
    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        if (error.name or '').startswith(_PACKAGE):
            raise
        raise InputError(f'{name}: a setting needs a library that is not installed: {_in_one_line(error)}') from error
    except (AssertionError, AttributeError, KeyError, TypeError, ValueError) as error:
        refused = _refused_option(error, options)
        if refused:
            raise InputError(f'{name}: {refused} does not fit: {_in_one_line(error)}') from error
        if not _is_about_config(error, options):
            raise
        raise InputError(f'{name}: a setting does not fit: {_in_one_line(error)}') from error


def _refused_option(error: Exception, options: ConfigOptions) -> str | None:
    """Return the option of the user that the innermost object to be built was given when it raised an error."""
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__) if _builds(frame)]
    arguments = frames[-1]['args'] if frames else {}
    for key, value in (options.cfg_options or {}).items():
        name = key.rpartition('.')[2]
        if name in arguments and type(arguments[name]) is type(value) and arguments[name] == value:
            return f'{key}={value}'
    return None


def _builds(frame: FrameType) -> bool:
    return frame.f_code.co_filename == build_functions.__file__ and isinstance(frame.f_locals.get('args'), dict)


def _is_about_config(error: Exception, options: ConfigOptions) -> bool:
    if not isinstance(error, (KeyError, TypeError)):
        return False
    unexpected = _UNEXPECTED.search(str(error))
    if unexpected and any(unexpected[1] in key.split('.') for key in options.cfg_options or ()):
        return True
    raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
    if raised_in in _RUNNERS:
        # A Runner calls loaders and loops with what the config has.
        return 'keyword argument' in str(error) or 'positional argument' in str(error)
    return raised_in in _REGISTRIES


def _in_one_line(error: Exception) -> str:
    text = ' '.join(str(error.args[0] if error.args else error).split())
    # mmengine adds where to read on.
    return text.partition(' Please check whether')[0].partition(' More details')[0][:300]
