"""The image files of a config's datasets."""

from __future__ import annotations

from typing import NamedTuple

from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import DataOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.datasets.one_reading import reading_once
from mmpretrain_inception.datasets.verify import Source, config_sources


class DatasetSources(NamedTuple):
    """The image files of a config's datasets.

    Attributes:
        sources: The files of each, with how its pipeline decodes them.
        notes: One line for each: which images were found, and which are not used.
    """

    sources: list[Source]
    notes: tuple[str, ...]


def dataset_sources(options: DataOptions) -> DatasetSources:
    """Return the image files of a config's datasets, with how their pipelines decode them.

    Args:
        options: The config, and the user's own folder if it needs one.

    Raises:
        UsageError: If the options do not fit the config.
        InputError: If the config or its data cannot be used.
    """
    with settings_explained(options), reading_once():
        cfg, notes, _ = configure(options)
        return DatasetSources(config_sources(cfg), notes)
