"""From the checkpoints on a command line or in a config to the model that is tested."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from mmengine.config import Config, ConfigDict

from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.configuring.folder_config import set_num_classes
from mmpretrain_inception.errors import InputError, UsageError


class Member(NamedTuple):
    """A member of an ensemble, or the only model.

    Attributes:
        checkpoint: File or address.
        config: Config file of its model. None: the one that is tested.
    """

    checkpoint: str
    config: str | None = None


def list_members(cfg: Config, checkpoints: Sequence[str], name: str) -> list[Member]:
    """Combine the checkpoints of the command line with ``cfg.ensemble``.

    Args:
        cfg: The config. Its ``ensemble``, if there is one, is a list of ``dict(checkpoint=FILE, config=FILE)``, in
            which ``config`` may be absent.
        checkpoints: Those of the command line, in the order of ``cfg.ensemble``, whose own they replace; without
            ``cfg.ensemble`` all are of ``cfg``.
        name: The config file, for messages.

    Raises:
        UsageError: If a checkpoint is missing or too much.
    """
    declared = cfg.get('ensemble')
    if not declared:
        if not checkpoints:
            raise UsageError(f'{name}: a checkpoint was expected after the config, or several for an ensemble')
        return [Member(checkpoint) for checkpoint in checkpoints]
    files: list[str | None] = list(checkpoints) or [member.get('checkpoint') for member in declared]
    if len(files) != len(declared):
        raise UsageError(
            f'{name}: its ensemble has {len(declared)} members, and as many checkpoints were expected or none, '
            f'but {len(files)} came'
        )
    absent = [position for position, file in enumerate(files) if file is None]
    if absent:
        raise UsageError(
            f'{name}: ensemble[{absent[0]}] names no checkpoint; '
            f'name it there, or give {len(files)} checkpoints after the config'
        )
    return [Member(str(file), member.get('config')) for file, member in zip(files, declared)]


def use_members(cfg: Config, members: Sequence[Member], name: str) -> None:
    """Make the config test its model with one checkpoint, or an ensemble.

    Args:
        cfg: The config, all else applied but for test-time augmentation.
        members: What :func:`list_members` returned.
        name: The config file, which other members have to agree with.

    Raises:
        InputError: If a member's config cannot be read or prepares images otherwise.
    """
    if not cfg.get('ensemble') and len(members) == 1:
        cfg.load_from = members[0].checkpoint
        return
    cfg.load_from = None
    configs = {config: cfg if config is None else _member_config(config, cfg, name) for _, config in members}
    cfg.model = ConfigDict(
        type='mmpretrain_inception.EnsembleClassifier',
        members=[dict(model=_whole_model(configs[member.config]), checkpoint=member.checkpoint) for member in members],
    )


def _member_config(path: str, cfg: Config, name: str) -> Config:
    member = load_config(path)
    # Read anew: what the command line changes, it changes for all.
    if _pipeline(member) != _pipeline(load_config(name)):
        raise InputError(
            f'{path}: the members of an ensemble see the same images, but its test pipeline is not that of {name}'
        )
    if 'image_folder' in cfg:
        set_num_classes(member, cfg.data_preprocessor.num_classes)
    return member


def _pipeline(cfg: Config) -> list[dict[str, Any]]:
    # mmengine adds `_scope_` to what is inherited from a package.
    return [{key: step[key] for key in step if key != '_scope_'} for step in cfg.test_dataloader.dataset.pipeline]


def _whole_model(cfg: Config) -> ConfigDict:
    """Return the model with its preprocessor, as the Runner joins them."""
    return ConfigDict({'data_preprocessor': cfg.get('data_preprocessor'), **cfg.model})
