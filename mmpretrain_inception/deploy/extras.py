"""The libraries of the extra ``deploy``: imported when needed, and kept quiet."""

from __future__ import annotations

import importlib
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, cast

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.terminal_log import is_verbose

# Makes a library log only errors.
_SILENCERS = {
    'onnxruntime': lambda module: module.set_default_logger_severity(3),
    'nncf': lambda module: module.set_log_level(logging.ERROR),
}


def import_extra(name: str) -> Any:
    """Import a library of the extra ``deploy``.

    Args:
        name: Name of the module.

    Raises:
        InputError: If it is not installed.
    """
    _refuse_telemetry()
    try:
        with quiet():
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(
            f"{error.name or name} is not installed; pip install 'mmpretrain-inception[deploy]'"
        ) from error
    _SILENCERS.get(name, lambda module: None)(module)
    return module


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress warnings and log messages below errors: converters comment on every layer and on their internals.

    With ``--verbose`` they are shown.
    """
    if is_verbose():
        yield
        return
    disabled = logging.root.manager.disable
    logging.disable(max(disabled, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(disabled)


def _refuse_telemetry() -> None:
    """Make OpenVINO and NNCF believe that their telemetry is not installed; they work without it.

    Otherwise they report each conversion to a server without asking. This can be removed when they ask.
    """
    sys.modules.setdefault('openvino_telemetry', cast('ModuleType', None))
