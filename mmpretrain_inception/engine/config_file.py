"""Reading a config file."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.hub import get_config

from mmpretrain_inception.errors import InputError, UsageError


def load_config(name: str) -> Config:
    """Read a config from a path or from a package (``mmpretrain_inception::inception_v3/...py``).

    Raises:
        UsageError: If there is no such config.
        InputError: If it cannot be read.
    """
    if '::' not in name and not Path(name).is_file():
        raise UsageError(f'{name}: a config file was expected, but there is none')
    try:
        return get_config(name) if '::' in name else Config.fromfile(name)
    except Exception as error:
        # A config is code, and may fail in any way.
        raise InputError(f'{name}: the config cannot be read: {type(error).__name__}: {error}') from error
