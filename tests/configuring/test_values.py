import pytest
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.configuring.config_file import load_config, set_at
from mmpretrain_inception.configuring.values import SETTINGS, check_groups, check_values
from mmpretrain_inception.errors import UsageError


@pytest.mark.parametrize('config', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.stem)
def test_our_configs_pass(config):
    check_values(load_config(str(config)), 'c.py')


@pytest.mark.parametrize(
    ('key', 'good', 'bad'),
    [
        ('train_dataloader.batch_size', [1, 64], ['abc', 0, -1, 1.5, True]),
        ('val_dataloader.num_workers', [0, 8], ['two', -1]),
        ('test_dataloader', [dict()], [3, 'loader']),
        ('train_cfg.max_epochs', [1], ['x', 0]),
        ('train_cfg.by_epoch', [True, False], ['no']),
        ('optim_wrapper.optimizer.lr', [0, 1e-4, 1], ['abc', -1.0]),
        ('optim_wrapper.optimizer.type', ['SGD', 'torch.optim.AdamW'], ['Nope']),
        ('randomness.seed', [None, 0], ['abc']),
        ('work_dir', ['3'], [3]),
        ('log_level', ['INFO', 10], ['LOUD']),
        ('default_hooks.checkpoint.rule', ['less', None, ['less', 'greater']], ['best']),
        ('default_hooks.logger', [dict(type='LoggerHook'), None], [3]),
        ('launcher', ['none', 'slurm'], ['foo']),
        ('env_cfg.dist_cfg', [dict()], [3]),
        ('model.head.num_classes', [2], ['x', 0]),
    ],
)
def test_a_value_that_nothing_can_run_with_is_refused(key, good, bad):
    for value in good:
        cfg = Config(dict())
        set_at(cfg, key, value)
        check_values(cfg, 'c.py')
    for value in bad:
        cfg = Config(dict())
        set_at(cfg, key, value)
        with pytest.raises(UsageError, match=rf'^c\.py: expected {key} to be .*, got {value!r}'):
            check_values(cfg, 'c.py')


def test_every_setting_of_the_table_may_be_absent_or_none():
    cfg = Config(dict())
    check_values(cfg, 'c.py')
    for key in SETTINGS:
        cfg = Config(dict())
        set_at(cfg, key, None)
        check_values(cfg, 'c.py')


TRAIN = dict(train_dataloader=dict(), train_cfg=dict(), optim_wrapper=dict())
VAL = dict(val_dataloader=dict(), val_cfg=dict(), val_evaluator=[])


@pytest.mark.parametrize(
    ('settings', 'phases', 'missing'),
    [
        (TRAIN, ('train', 'val'), None),
        (dict(TRAIN, **VAL), ('train', 'val'), None),
        (dict(TRAIN, train_cfg=None), ('train',), 'train_cfg'),
        (VAL, ('train', 'val'), 'train_dataloader, train_cfg, optim_wrapper'),
        (dict(TRAIN, val_cfg=dict()), ('train', 'val'), 'val_dataloader, val_evaluator'),
        (dict(TRAIN, val_cfg=dict()), ('train',), None),
        (TRAIN, ('test',), 'test_dataloader, test_cfg, test_evaluator'),
    ],
)
def test_what_a_phase_needs_is_all_there(settings, phases, missing):
    if missing is None:
        check_groups(Config(settings), 'c.py', phases)
    else:
        with pytest.raises(UsageError, match=rf'^c\.py: expected all of .*, got no {missing}$'):
            check_groups(Config(settings), 'c.py', phases)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('test_evaluator', ["dict(type='Accuracy')"]),
        ('val_evaluator', 'Accuracy'),
        ('custom_hooks', ['EMAHook']),
        ('param_scheduler', 'CosineAnnealingLR'),
        ('visualizer.vis_backends', ['TensorboardVisBackend']),
        ('train_dataloader.dataset.dataset.pipeline', ['PackInputs']),
        ('optim_wrapper', 3),
    ],
)
def test_a_text_is_no_part_that_can_be_built(key, value):
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='RepeatDataset', dataset=dict(type='CIFAR10')))))
    check_values(cfg, 'c.py')
    set_at(cfg, key, value)
    message = rf'^c\.py: expected {key} to be a dict .*; values of --cfg-options'
    with pytest.raises(UsageError, match=message):
        check_values(cfg, 'c.py')
