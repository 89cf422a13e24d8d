import sys

import pytest
from mmengine.config import Config
from mmengine.registry import HOOKS, METRICS, PARAM_SCHEDULERS, RUNNERS, VISUALIZERS
from torch import nn

from mmpretrain_inception.configuring.options import ConfigOptions
from mmpretrain_inception.configuring.settings import settings_explained
from mmpretrain_inception.errors import InputError

OPTIONS = ConfigOptions('c.py', {'default_hooks.timer.colour': 3})


class Faulty(nn.Module):
    def __init__(self, kind):
        raise kind('a bug')


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: HOOKS.build(dict(type='NoHook')), r'^c\.py: a setting does not fit: NoHook is not in the .*registry'),
        (lambda: HOOKS.build(dict(type='IterTimerHook', interval=3)), "unexpected keyword argument 'interval'"),
        (lambda: HOOKS.build(dict(interval=3)), 'must contain the key "type"'),
        (lambda: METRICS.build('Accuracy'), 'cfg should be a dict'),
        (lambda: HOOKS.build(dict(type=3)), 'type must be a str or valid type'),
        (lambda: RUNNERS.build(Config(dict(runner_type='NoRunner'))), 'NoRunner is not in the runner registry'),
    ],
)
def test_a_setting_that_nothing_can_be_built_from_is_named_in_one_line(build, message):
    with pytest.raises(InputError, match=message) as error, settings_explained(OPTIONS):
        build()
    assert '\n' not in str(error.value)
    assert len(str(error.value)) < 400


def test_a_library_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'torch.utils.tensorboard', None)
    monkeypatch.setitem(sys.modules, 'tensorboardX', None)
    backend = dict(type='TensorboardVisBackend', save_dir='/tmp')
    message = r'needs a library that is not installed: .*tensorboard'
    with pytest.raises(InputError, match=message), settings_explained(OPTIONS):
        VISUALIZERS.build(dict(type='Visualizer', name='v', vis_backends=[backend])).add_scalar('a', 1)


@pytest.mark.parametrize('kind', [AttributeError, KeyError, TypeError, ValueError, AssertionError])
def test_what_a_class_raises_keeps_its_traceback(kind):
    with pytest.raises(kind, match='a bug'), settings_explained(OPTIONS):
        HOOKS.build(dict(type=Faulty, kind=kind))


class Momentum:
    def __init__(self, momentum):
        if momentum > 1:
            raise ValueError('momentum must be\nbelow 1')


@pytest.mark.parametrize(
    ('registry', 'part', 'option', 'message'),
    [
        (
            METRICS,
            dict(type='DumpResults'),
            {'metrics.0.out_file_path': 'a.txt'},
            'metrics.0.out_file_path=a.txt does not fit',
        ),
        (
            HOOKS,
            dict(type=Momentum),
            {'hooks.0.momentum': 5},
            'hooks.0.momentum=5 does not fit: momentum must be below 1',
        ),
        (HOOKS, dict(type='EMAHook'), {'hooks.0.begin_iter': -1}, 'begin_iter=-1 does not fit: `begin_iter` must'),
        (
            PARAM_SCHEDULERS,
            dict(type='StepLR', optimizer=None, step_size=1),
            {'param_scheduler.0.end': -1},
            'end=-1 does',
        ),
    ],
)
def test_a_value_of_the_users_that_a_class_refuses_is_named(registry, part, option, message):
    ((key, value),) = option.items()
    with pytest.raises(InputError) as error, settings_explained(ConfigOptions('c.py', option)):
        registry.build({**part, key.rpartition('.')[2]: value})
    assert message in str(error.value)
    assert '\n' not in str(error.value)


def test_a_value_that_the_user_did_not_set_keeps_its_traceback():
    options = ConfigOptions('c.py', {'hooks.0.momentum': 0.5, 'hooks.1.interval': 5})
    with pytest.raises(ValueError, match='below 1'), settings_explained(options):
        HOOKS.build(dict(type=Momentum, momentum=5))


@pytest.mark.parametrize('name', ['mmpretrain_inception.absent', 'mmpretrain_inception'])
def test_an_import_of_this_package_that_fails_keeps_its_traceback(name):
    with pytest.raises(ImportError), settings_explained(OPTIONS):
        raise ImportError('no', name=name)


class Base:
    def __init__(self, size):
        pass


class Child(Base):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)


def test_an_argument_that_a_base_class_does_not_take_is_the_users_only_if_the_user_set_it():
    with pytest.raises(InputError, match="unexpected keyword argument 'colour'"), settings_explained(OPTIONS):
        HOOKS.build(dict(type=Child, colour=3))
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"), settings_explained(OPTIONS):
        HOOKS.build(dict(type=Child, weight=3))
