"""Where the datasets of a config are."""

from __future__ import annotations

from collections.abc import Iterator

from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import get_at


def innermost_datasets(cfg: Config, phase: str) -> list[str]:
    """Return the dotted names of a phase's datasets, inside any wrappers (``RepeatDataset``, ``ConcatDataset``, ...).

    Args:
        cfg: The config.
        phase: ``train``, ``val`` or ``test``.
    """
    return list(_inside(cfg, f'{phase}_dataloader.dataset'))


def _inside(cfg: Config, key: str) -> Iterator[str]:
    settings = get_at(cfg, key)
    if not isinstance(settings, dict):
        return
    if isinstance(settings.get('dataset'), dict):
        yield from _inside(cfg, f'{key}.dataset')
    elif isinstance(settings.get('datasets'), (list, tuple)):
        for position in range(len(settings['datasets'])):
            yield from _inside(cfg, f'{key}.datasets.{position}')
    else:
        yield key
