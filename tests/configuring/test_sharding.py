import pytest
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.configuring.sharding import check_sharding, drop_sharding
from mmpretrain_inception.errors import UsageError


@pytest.fixture
def sharded():
    cfg = Config.fromfile(CONFIGS / 'inception-v3-aux-fsdp_8xb32_in1k.py')
    cfg.launcher = 'pytorch'
    return cfg


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(launcher='none'), r'shards the model over processes; start them by tools/dist_train\.sh'),
        (dict(custom_hooks=[dict(type='mmpretrain_inception.SyncedEMAHook')]), r'EMAHook in custom_hooks'),
        ({'optim_wrapper.clip_grad': dict(max_norm=2.0)}, r'clip by value, clip_grad=dict'),
    ],
    ids=['one process', 'average', 'clipping by norm'],
)
def test_what_cannot_be_sharded_is_refused(sharded, options, message):
    sharded.merge_from_dict(options)
    with pytest.raises(UsageError, match=f'^c.py: .*{message}'):
        check_sharding(sharded, 'c.py')


@pytest.mark.parametrize('options', [{}, {'optim_wrapper.clip_grad': dict(type='value', clip_value=2.0)}])
def test_the_rest_is_not(sharded, options):
    sharded.merge_from_dict(options)
    check_sharding(sharded, 'c.py')


def test_a_config_that_does_not_shard_passes(sharded):
    sharded.pop('strategy')
    sharded.launcher = 'none'
    check_sharding(sharded, 'c.py')


def test_testing_does_not_shard(sharded):
    drop_sharding(sharded)
    assert 'strategy' not in sharded
    assert 'runner_type' not in sharded
