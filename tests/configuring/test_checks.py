import pytest
from mmengine.config import Config
from mmengine.hooks import EMAHook
from support import CONFIGS

from mmpretrain_inception.configuring.checks import (
    check_accumulation,
    check_sharding,
    known_rule,
    remark_on_checkpoints,
    remark_on_save_best,
)
from mmpretrain_inception.engine import SafeCheckpointHook
from mmpretrain_inception.errors import UsageError


@pytest.fixture
def sharded():
    return Config.fromfile(CONFIGS / 'inception-v3-aux-fsdp_8xb32_in1k.py')


@pytest.mark.parametrize(
    ('launcher', 'options', 'message'),
    [
        ('none', {}, r'shards the model over several processes; start it with tools/dist_train\.sh'),
        ('pytorch', dict(custom_hooks=[dict(type='mmpretrain_inception.SyncedEMAHook')]), r'EMAHook in custom_hooks'),
        ('pytorch', dict(custom_hooks=[dict(type=EMAHook)]), r'EMAHook in custom_hooks'),
        ('pytorch', {'optim_wrapper.clip_grad': dict(max_norm=2.0)}, r'clip by value, clip_grad=dict'),
        ('none', {'strategy.type': 'mmengine._strategy.fsdp.FSDPStrategy'}, r'shards the model over several processes'),
    ],
    ids=['one process', 'average', 'average by class', 'clipping by norm', 'by full name'],
)
def test_what_cannot_be_sharded_is_refused(sharded, launcher, options, message):
    sharded.merge_from_dict(options)
    with pytest.raises(UsageError, match=f'^c.py: .*{message}'):
        check_sharding(sharded, 'c.py', launcher)


@pytest.mark.parametrize('options', [{}, {'optim_wrapper.clip_grad': dict(type='value', clip_value=2.0)}])
def test_the_rest_is_not(sharded, options):
    sharded.merge_from_dict(options)
    check_sharding(sharded, 'c.py', 'pytorch')


def test_a_config_that_does_not_shard_passes(sharded):
    sharded.pop('strategy')
    check_sharding(sharded, 'c.py', 'none')


@pytest.mark.parametrize(
    ('runner_type', 'counts', 'refused'),
    [
        ('mmpretrain_inception.ResumableRunner', 4, False),
        ('mmpretrain_inception.ResumableFlexibleRunner', 4, False),
        ('Runner', 1, False),
        ('Runner', 4, True),
        ('FlexibleRunner', 4, True),
    ],
)
def test_a_runner_that_does_not_count_accumulated_images_is_refused(runner_type, counts, refused):
    cfg = Config(dict(runner_type=runner_type, optim_wrapper=dict(accumulative_counts=counts)))
    if refused:
        with pytest.raises(UsageError, match=r'^c\.py: .* needs runner_type=.*ResumableRunner'):
            check_accumulation(cfg, 'c.py')
    else:
        check_accumulation(cfg, 'c.py')


@pytest.mark.parametrize(
    ('metric', 'rule'),
    [
        ('accuracy/top1', 'greater'),
        ('single-label/f1-score', 'greater'),
        ('single-label/recall', 'greater'),
        ('multi-label/mAP', 'greater'),
        ('single-label/cross_entropy', 'less'),
        ('loss', 'less'),
        ('top1_error', 'greater'),
        ('my_metric', None),
    ],
)
def test_the_name_of_a_metric_says_which_value_is_the_best(metric, rule):
    assert known_rule(metric) == rule


def test_the_best_by_whatever_is_measured_first_follows_its_name():
    hook = SafeCheckpointHook(save_best='auto')
    # As mmengine calls it after the first validation.
    hook._init_rule(hook.rules, ['single-label/cross_entropy'])
    assert hook.rules == ['less']


@pytest.mark.parametrize(
    ('options', 'notes'),
    [
        ({}, 0),
        ({'save_best': 'single-label/cross_entropy'}, 1),
        ({'save_best': 'single-label/cross_entropy', 'rule': 'greater'}, 0),
        ({'save_best': 'accuracy/top1'}, 0),
        ({'save_best': 'my_metric'}, 0),
        ({'save_best': 'auto'}, 0),
        ({'save_best': None}, 0),
    ],
)
def test_a_rule_that_the_config_has_for_another_metric_is_dropped(options, notes):
    cfg = Config(dict(default_hooks=dict(checkpoint=dict(rule='greater'))))
    options = {f'default_hooks.checkpoint.{key}': value for key, value in options.items()}
    found = remark_on_save_best(cfg, options)
    assert len(found) == notes
    assert all('the best single-label/cross_entropy is the lowest' in note for note in found)


@pytest.mark.parametrize(
    ('training', 'hook', 'notes'),
    [
        (dict(by_epoch=True, max_epochs=3), dict(type='CheckpointHook'), 0),
        (dict(by_epoch=False, max_iters=9), dict(type='CheckpointHook'), 1),
        (dict(type='IterBasedTrainLoop', max_iters=9), dict(type='mmpretrain_inception.SafeCheckpointHook'), 1),
        (dict(by_epoch=False, max_iters=9), dict(type='CheckpointHook', by_epoch=False), 0),
    ],
)
def test_checkpoints_that_count_what_training_does_not(training, hook, notes):
    cfg = Config(dict(train_cfg=training, default_hooks=dict(checkpoint=hook)))
    assert len(list(remark_on_checkpoints(cfg))) == notes
