"""Reading a config with the user's changes."""

from __future__ import annotations

from copy import deepcopy
from typing import NamedTuple

from mmengine.config import Config

from mmpretrain_inception.configuring.check_options import check_options
from mmpretrain_inception.configuring.config_file import load_config, merge_options
from mmpretrain_inception.configuring.options import ConfigOptions
from mmpretrain_inception.configuring.short_options import merge_short, short_settings


class Read(NamedTuple):
    """The result of :func:`read_config`.

    Attributes:
        cfg: The config as the user wants it.
        notes: What the short options did that may surprise, one line each.
    """

    cfg: Config
    notes: tuple[str, ...]


def read_config(options: ConfigOptions) -> Read:
    """Read the config file, and apply ``cfg_options`` and the short options.

    Raises:
        UsageError: If there is no such file, a setting does not exist, or the options contradict each other.
        InputError: If the file cannot be read.
    """
    file = load_config(options.config)
    cfg = deepcopy(file)
    short = short_settings(options, file)
    merge_options(cfg, options.cfg_options)
    check_options(options, file, cfg)
    return Read(cfg, merge_short(cfg, short, options.cfg_options))
