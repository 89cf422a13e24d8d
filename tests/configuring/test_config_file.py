import pytest
from mmengine.config import Config

from mmpretrain_inception.configuring import config_file
from mmpretrain_inception.configuring.config_file import get_at, load_config, set_at
from mmpretrain_inception.errors import InputError, UsageError

LAZY = """
from mmengine.config import read_base
from mmengine.hooks import CheckpointHook
from mmpretrain_inception import InceptionV3
from torch.optim import SGD
import mmengine.runner as runner

with read_base():
    from .base import *

model = dict(backbone=dict(type=InceptionV3), act=SGD)
default_hooks = dict(checkpoint=dict(type=CheckpointHook))
custom_hooks = [dict(type=runner.Runner)]
val_dataloader = test_dataloader
"""


@pytest.fixture
def write(tmp_path):
    """Write a config and return its path."""

    def write(text, name='c.py'):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def test_types_that_are_classes_become_names(write):
    write('test_dataloader = dict(batch_size=3)\n', 'base.py')
    cfg = load_config(write(LAZY))
    assert cfg.model.backbone.type == 'mmpretrain_inception.InceptionV3'
    assert cfg.default_hooks.checkpoint.type == 'mmengine.hooks.CheckpointHook'
    assert cfg.custom_hooks[0].type == 'mmengine.runner.Runner'
    assert 'CheckpointHook' not in cfg
    cfg.test_dataloader.batch_size = 4
    assert cfg.val_dataloader.batch_size == 3


def test_the_dump_of_a_config_with_classes_runs_again(write, tmp_path):
    write('test_dataloader = dict(batch_size=3)\n', 'base.py')
    cfg = load_config(write(LAZY))
    cfg.dump(str(tmp_path / 'dumped.py'))
    assert load_config(str(tmp_path / 'dumped.py')).default_hooks == cfg.default_hooks


def test_classes_in_a_text_config_become_names_too(write):
    cfg = load_config(write("a = dict(type=__import__('mmengine.hooks').hooks.CheckpointHook)\n"))
    assert cfg.a.type == 'mmengine.hooks.checkpoint_hook.CheckpointHook'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model = dict(', 'SyntaxError'),
        ('a = {}.b', "AttributeError: 'dict' object has no attribute 'b'"),
        ('a = 1 / 0', 'ZeroDivisionError'),
        ("_base_ = 'absent.py'", 'FileNotFoundError'),
        ('from mmengine.hooks import Absent\na = dict(type=Absent)', 'ImportError: Failed to import Absent'),
        ("_base_ = 'mmpretrain_inception::inception_v3/absent.py'", 'absent.py'),
    ],
)
def test_a_config_that_fails_is_named_in_one_line(write, text, message):
    with pytest.raises(InputError, match=r'c\.py: the config cannot be read: ') as error:
        load_config(write(text))
    assert message in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('base', ['configs.default_runtime', 'configs.inception_v3.absent'])
def test_reading_our_text_configs_the_lazy_way_says_how_to_do_it(write, base):
    lazy = f'from mmengine.config import read_base\nwith read_base():\n    from mmpretrain_inception.{base} import *\n'
    with pytest.raises(InputError, match=r"are text configs; inherit them by _base_ = 'mmpretrain_inception::"):
        load_config(write(lazy))


def test_a_bug_of_this_package_keeps_its_traceback(write, monkeypatch):
    def faulty(value):
        return value.no_such_attribute

    faulty_code = faulty.__code__.replace(co_filename=config_file.__file__)
    faulty.__code__ = faulty_code
    monkeypatch.setattr(config_file, '_named_types', faulty)
    with pytest.raises(AttributeError, match='no_such_attribute'):
        load_config(write('a = 1'))


@pytest.mark.parametrize(
    ('key', 'value', 'expected'),
    [
        ('a.b', 2, dict(a=dict(b=2), c=[dict(d=1), 5])),
        ('a.new.deep', 2, dict(a=dict(b=None, new=dict(deep=2)), c=[dict(d=1), 5])),
        ('a.b.c', 2, dict(a=dict(b=dict(c=2)), c=[dict(d=1), 5])),
        ('c.0.d', 2, dict(a=dict(b=None), c=[dict(d=2), 5])),
        ('c.1', 6, dict(a=dict(b=None), c=[dict(d=1), 6])),
        ('a', dict(e=3), dict(a=dict(b=None, e=3), c=[dict(d=1), 5])),
        ('a', dict(_delete_=True, e=3), dict(a=dict(e=3), c=[dict(d=1), 5])),
        ('c', None, dict(a=dict(b=None), c=None)),
    ],
)
def test_a_value_is_set_where_its_name_says(key, value, expected):
    cfg = Config(dict(a=dict(b=None), c=[dict(d=1), 5]))
    set_at(cfg, key, value)
    assert cfg.to_dict() == expected


@pytest.mark.parametrize('key', ['c.7', 'c.x', 'c.1.d', 'c.-1', 'n.a', 'c.7.d'])
def test_a_name_that_leads_nowhere_is_a_usage_error(key):
    cfg = Config(dict(c=[dict(d=1), 5], n=3))
    with pytest.raises(UsageError, match=rf'^--cfg-options {key}: the config has no such setting'):
        set_at(cfg, key, 1)
    assert get_at(cfg, key, 'nothing') == 'nothing'
