import mmengine.hooks
import mmpretrain.engine.hooks
import pytest
import torch
from mmengine.registry import init_default_scope
from mmengine.runner import EpochBasedTrainLoop

from mmpretrain_inception import InceptionV3, registry
from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.engine import SafeCheckpointHook, SyncedEMAHook
from mmpretrain_inception.registry import HOOKS, LOOPS, MODELS, OPTIMIZERS, VISUALIZERS, is_kind, resolve


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


PLUGINS = {name: value for name, value in vars(registry).items() if isinstance(value, registry.PluginRegistry)}


@pytest.mark.parametrize('name', PLUGINS)
def test_no_registry_says_that_the_package_is_not_installed(name, warnings_logged, capfd):
    PLUGINS[name]._imported = False
    assert resolve('NobodysClass', PLUGINS[name]) is None
    assert 'not installed' not in ''.join((*warnings_logged, *capfd.readouterr()))


@pytest.mark.parametrize(
    'inherit',
    [
        "_base_ = 'mmpretrain_inception::inception_v3/inception-v3_1xb64_digits-75px.py'",
        "_base_ = ['mmpretrain_inception::_base_/default_runtime.py', 'mmpretrain::_base_/models/resnet18.py']",
    ],
)
def test_what_is_inherited_by_name_is_built_without_a_warning(inherit, tmp_path, warnings_logged, capfd):
    (tmp_path / 'c.py').write_text(inherit)
    cfg = load_config(str(tmp_path / 'c.py'))
    init_default_scope('mmpretrain')
    VISUALIZERS.build({**cfg.visualizer, 'save_dir': str(tmp_path), 'name': tmp_path.name})
    for hook in cfg.default_hooks.values():
        HOOKS.build(hook)
    assert 'not installed' not in ''.join((*warnings_logged, *capfd.readouterr()))
