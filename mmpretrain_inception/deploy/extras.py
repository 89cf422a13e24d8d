"""The libraries of the extra ``deploy``: imported when they are needed, and kept from chattering."""

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

# What makes a library write errors only, once it is imported.
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
            f"this needs {error.name or name}, which is not installed; pip install 'mmpretrain-inception[deploy]'"
        ) from error
    _SILENCERS.get(name, lambda module: None)(module)
    return module


@contextmanager
def quiet() -> Iterator[None]:
    """Drop warnings and what is logged below an error: converters remark on every layer, and on their own internals."""
    disabled = logging.root.manager.disable
    logging.disable(max(disabled, logging.WARNING))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(disabled)


def _refuse_telemetry() -> None:
    """Let OpenVINO and NNCF find no telemetry, which both take for not installed and do without.

    They would report each conversion to a server, unasked. It can go when they ask first.
    """
    sys.modules.setdefault('openvino_telemetry', cast('ModuleType', None))
