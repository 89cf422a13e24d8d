"""The cost of a config's model."""

from __future__ import annotations

from mmpretrain_inception.configuring.options import ConfigOptions
from mmpretrain_inception.configuring.reading import read_config
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.configuring.values import check_values
from mmpretrain_inception.evaluation.complexity import Complexity, count_complexity


def measure_complexity(options: ConfigOptions, height: int = 299, width: int = 299) -> Complexity:
    """Count the parameters and multiply-adds of a config's model in evaluation.

    Args:
        options: The config and what to change in it.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Raises:
        UsageError: If there is no such config, or a setting is not what it has to be.
        InputError: If the config cannot be read or its model cannot be built.
    """
    with settings_explained(options):
        cfg = read_config(options).cfg
        check_values(cfg, options.config)
        return count_complexity(cfg, height, width)
