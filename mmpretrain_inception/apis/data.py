"""The image files of a config's datasets."""

from __future__ import annotations

from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import DataOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.datasets.verify import Source, config_sources


def dataset_sources(options: DataOptions) -> list[Source]:
    """Return the image files of a config's datasets, with how their pipelines decode them.

    Args:
        options: The config, and the user's own folder if it needs one.

    Raises:
        UsageError: If the options do not fit the config.
        InputError: If the config or its data cannot be used.
    """
    with settings_explained(options):
        return config_sources(configure(options).cfg)
