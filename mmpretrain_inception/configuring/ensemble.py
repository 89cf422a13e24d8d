"""From the checkpoints on a command line or in a config to the members of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.model import BaseTTAModel

from mmpretrain_inception.configuring.config_file import get_at, load_config
from mmpretrain_inception.configuring.pretrained import obtain
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.models.classifiers.ensemble import EnsembleClassifier
from mmpretrain_inception.registry import MODELS, is_kind


class Member(NamedTuple):
    """A member of an ensemble, or the only model.

    Attributes:
        checkpoint: File or address.
        config: Config file of its model. None: the one that is tested.
        model: Its model with its preprocessor. None: that of ``config``.
    """

    checkpoint: str
    config: str | None = None
    model: Mapping[str, Any] | None = None


def model_key(cfg: Config) -> str:
    """Return the dotted name of the model: ``model``, or ``model.module`` inside test-time augmentation."""
    return 'model.module' if is_kind(cfg.get('model'), BaseTTAModel, MODELS) else 'model'


def declared_members(cfg: Config) -> Sequence[Mapping[str, Any]]:
    """Return the members that a config declares: its ``ensemble``, or those of an ``EnsembleClassifier``.

    The latter is what the dumped config of a test run holds.
    """
    model = get_at(cfg, model_key(cfg))
    if is_kind(model, EnsembleClassifier, MODELS):
        return model['members']
    return cfg.get('ensemble') or ()


def list_members(cfg: Config, checkpoints: Sequence[str], name: str) -> list[Member]:
    """Combine the checkpoints of the command line with those of the config.

    Args:
        cfg: The config. Its ``ensemble``, if there is one, is a list of ``dict(checkpoint=FILE, config=FILE)``, in
            which ``config`` may be absent.
        checkpoints: Checkpoints of the command line. They replace those of the config's members, in order; if the
            config declares no members, all belong to ``cfg``.
        name: The config file, for messages.

    Raises:
        UsageError: If there are too few or too many checkpoints.
        InputError: If one looks like the name of published weights, but is none, or cannot be downloaded.
    """
    declared = declared_members(cfg)
    if not declared:
        if not checkpoints:
            raise UsageError(f'{name}: expected a checkpoint after the config, or several for an ensemble')
        return [Member(obtain(checkpoint)) for checkpoint in checkpoints]
    files: list[str | None] = list(checkpoints) or [member.get('checkpoint') for member in declared]
    if len(files) != len(declared):
        raise UsageError(
            f'{name}: its ensemble has {len(declared)} members; expected as many checkpoints or none, got {len(files)}'
        )
    absent = [position for position, file in enumerate(files) if file is None]
    if absent:
        raise UsageError(
            f'{name}: ensemble[{absent[0]}] names no checkpoint; '
            f'name it there, or give {len(files)} checkpoints after the config'
        )
    return [
        Member(obtain(str(file)), member.get('config'), member.get('model')) for file, member in zip(files, declared)
    ]


def with_models(members: Sequence[Member], cfg: Config, name: str) -> list[Member]:
    """Give each member its model, with the preprocessor that the Runner would join to it.

    Args:
        members: What :func:`list_members` returned.
        cfg: The config that is tested.
        name: Its file, which other members have to agree with.

    Raises:
        InputError: If a member's config cannot be read or prepares images differently.
    """
    models: dict[str | None, dict[str, Any]] = {None: whole_model(cfg)}
    for config in {member.config for member in members if member.model is None} - {None}:
        models[config] = whole_model(_member_config(str(config), name))
    return [member._replace(model=member.model or models[member.config]) for member in members]


def whole_model(cfg: Config) -> dict[str, Any]:
    """Return the model of a config with its preprocessor, as the Runner joins them."""
    return {'data_preprocessor': cfg.get('data_preprocessor'), **dict.copy(get_at(cfg, model_key(cfg)))}


def _member_config(path: str, name: str) -> Config:
    member = load_config(path)
    # Without the command line's changes, which apply to all members.
    if _pipeline(member) != _pipeline(load_config(name)):
        raise InputError(
            f'{path}: expected the test pipeline of {name}, got another; members of an ensemble see the same images'
        )
    return member


def _pipeline(cfg: Config) -> list[dict[str, Any]]:
    # mmengine adds `_scope_` to settings that are inherited from a package.
    return [{key: step[key] for key in step if key != '_scope_'} for step in cfg.test_dataloader.dataset.pipeline]
