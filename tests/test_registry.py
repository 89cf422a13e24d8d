import mmengine.hooks
import mmpretrain.engine.hooks
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import EpochBasedTrainLoop

from mmpretrain_inception import InceptionV3
from mmpretrain_inception.engine import SafeCheckpointHook, SyncedEMAHook
from mmpretrain_inception.registry import HOOKS, LOOPS, MODELS, OPTIMIZERS, is_kind, resolve


@pytest.mark.parametrize(
    ('kind', 'registry', 'expected'),
    [
        ('CheckpointHook', HOOKS, mmengine.hooks.CheckpointHook),
        ('mmengine.CheckpointHook', HOOKS, mmengine.hooks.CheckpointHook),
        ('mmengine.hooks.CheckpointHook', HOOKS, mmengine.hooks.CheckpointHook),
        (mmengine.hooks.CheckpointHook, HOOKS, mmengine.hooks.CheckpointHook),
        ('EMAHook', HOOKS, mmpretrain.engine.hooks.EMAHook),
        ('mmengine.EMAHook', HOOKS, mmengine.hooks.EMAHook),
        ('mmpretrain_inception.SafeCheckpointHook', HOOKS, SafeCheckpointHook),
        ('SafeCheckpointHook', HOOKS, SafeCheckpointHook),
        ('EpochBasedTrainLoop', LOOPS, EpochBasedTrainLoop),
        ('mmpretrain_inception.models.InceptionV3', MODELS, InceptionV3),
        ('SGD', OPTIMIZERS, torch.optim.SGD),
        ('torch.optim.SGD', OPTIMIZERS, torch.optim.SGD),
        ('NobodysHook', HOOKS, None),
        ('nopackage.Hook', HOOKS, None),
        (None, HOOKS, None),
    ],
)
def test_every_spelling_of_a_type_is_the_same_class(kind, registry, expected):
    assert resolve(kind, registry) is expected


def test_a_name_means_what_the_default_scope_means_by_it():
    init_default_scope('mmengine')
    assert resolve('EMAHook', HOOKS) is mmengine.hooks.EMAHook


@pytest.mark.parametrize(
    ('settings', 'expected'),
    [
        (dict(type='EMAHook', momentum=1e-4), True),
        (dict(type='mmpretrain_inception.SyncedEMAHook'), True),
        (dict(type=SyncedEMAHook), True),
        (dict(type='CheckpointHook'), False),
        (dict(type='NotAnEMAHook'), False),
        (dict(momentum=1e-4), False),
        (None, False),
    ],
)
def test_subclasses_are_of_the_kind(settings, expected):
    assert is_kind(settings, mmengine.hooks.EMAHook, HOOKS) is expected


def test_inheritance_by_name_does_not_say_that_the_package_is_missing(capfd):
    for registry in (HOOKS, OPTIMIZERS):
        registry._imported = False
        resolve('mmpretrain_inception.Adam', registry)
    assert 'not installed' not in ''.join(capfd.readouterr())
