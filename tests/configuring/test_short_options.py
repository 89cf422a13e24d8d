import itertools

import pytest
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.configuring.options import TrainOptions
from mmpretrain_inception.configuring.reading import read_config
from mmpretrain_inception.configuring.short_options import short_settings
from mmpretrain_inception.errors import UsageError

WARM_UP = dict(type='LinearLR', start_factor=0.1, end=5, convert_to_iter_based=True)
COSINE = dict(type='CosineAnnealingLR', begin=5, end=100, T_max=95, convert_to_iter_based=True)
STEPS = dict(type='StepLR', step_size=2, gamma=0.94)
MILESTONES = dict(type='MultiStepLR', milestones=[30, 60, 90])
EMA = [dict(type='mmpretrain_inception.SyncedEMAHook', momentum=0.001, begin_epoch=10)]
SGD = dict(optimizer=dict(type='SGD', lr=0.1))
EPOCHS = dict(by_epoch=True, max_epochs=100, val_interval=10)
ITERATIONS = dict(by_epoch=False, max_iters=1000, val_interval=100)


def settings(options, **config):
    """The settings that follow from options, for a config of these parts."""
    config = dict(dict(train_cfg=EPOCHS, optim_wrapper=SGD), **config)
    return {
        key: setting.value
        for key, setting in short_settings(TrainOptions('c.py', **options), Config(config)).settings.items()
    }


def schedule(epochs, *schedulers, **config):
    """What changes in the schedules."""
    found = settings(dict(epochs=epochs), param_scheduler=list(schedulers), **config)
    return {key[len('param_scheduler.') :]: value for key, value in found.items() if key.startswith('param_scheduler.')}


@pytest.mark.parametrize(
    ('epochs', 'schedulers', 'expected'),
    [
        pytest.param(50, [WARM_UP, COSINE], {'1.end': 50, '1.T_max': 45}, id='the cosine ends with the run'),
        pytest.param(200, [WARM_UP, COSINE], {'1.end': 200, '1.T_max': 195}, id='a longer run has the same warm-up'),
        pytest.param(
            10,
            [WARM_UP, COSINE],
            {'0.end': 2, '1.begin': 2, '1.end': 10, '1.T_max': 8},
            id='a warm-up takes at most a fifth',
        ),
        pytest.param(
            1, [WARM_UP, COSINE], {'0.end': 0.2, '1.begin': 0.2, '1.end': 1, '1.T_max': 0.8}, id='parts of an epoch'
        ),
        pytest.param(
            1,
            [dict(type='LinearLR', end=5), dict(type='PolyLR', begin=5, end=100)],
            {
                '0.end': 0.2,
                '0.convert_to_iter_based': True,
                '1.begin': 0.2,
                '1.end': 1,
                '1.convert_to_iter_based': True,
            },
            id='parts of an epoch are counted in iterations',
        ),
        pytest.param(50, [STEPS], {'0.step_size': 1}, id='steps come as much sooner'),
        pytest.param(25, [STEPS], {'0.step_size': 1, '0.gamma': 0.94**2}, id='what no step can show, their size does'),
        pytest.param(50, [dict(type='ExponentialLR', gamma=0.9)], {'0.gamma': 0.9**2}, id='a decay reaches the same'),
        pytest.param(10, [MILESTONES], {'0.milestones': [3, 6, 9]}, id='milestones'),
        pytest.param(2, [MILESTONES], {'0.milestones': [1, 1, 2]}, id='milestones of a very short run'),
        pytest.param(
            10,
            [dict(type='LinearLR', by_epoch=False, end=500), dict(type='CosineAnnealingLR', end=100)],
            {'0.end': 50, '1.end': 10},
            id='a warm-up of iterations',
        ),
        pytest.param(
            10,
            [
                dict(type='LinearLR', by_epoch=False, end=500),
                dict(type='CosineAnnealingLR', by_epoch=False, begin=500, end=10000),
            ],
            {'0.end': 200, '1.begin': 200, '1.end': 1000},
            id='all in iterations',
        ),
        pytest.param(100, [WARM_UP, COSINE, STEPS, MILESTONES], {}, id='the same length changes nothing'),
    ],
)  # fmt: skip
def test_schedules_follow_the_number_of_epochs(epochs, schedulers, expected):
    assert schedule(epochs, *schedulers) == expected


def test_a_run_of_iterations_becomes_one_of_epochs():
    config = dict(
        train_cfg=ITERATIONS,
        train_dataloader=dict(batch_size=2, sampler=dict(type='InfiniteSampler')),
        param_scheduler=[
            dict(type='LinearLR', by_epoch=False, end=100),
            dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=1000),
        ],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=500)),
        log_processor=dict(by_epoch=False),
    )
    found = settings(dict(epochs=20), **config)
    assert found.pop('train_cfg') == dict(by_epoch=True, max_epochs=20, val_interval=2, _delete_=True)
    assert found == {
        'default_hooks.checkpoint.interval': 10,
        'default_hooks.checkpoint.by_epoch': True,
        'log_processor.by_epoch': True,
        'train_dataloader.sampler.type': 'DefaultSampler',
        'param_scheduler.0.end': 2,
        'param_scheduler.0.by_epoch': True,
        'param_scheduler.1.begin': 2,
        'param_scheduler.1.end': 20,
        'param_scheduler.1.by_epoch': True,
    }


@pytest.mark.parametrize(
    ('options', 'config', 'expected'),
    [
        pytest.param(
            dict(epochs=50),
            dict(custom_hooks=EMA),
            {'train_cfg.max_epochs': 50, 'custom_hooks.0.momentum': 0.002, 'custom_hooks.0.begin_epoch': 5},
            id='an average keeps its share of the run',
        ),
        pytest.param(
            dict(epochs=5),
            dict(model=dict(backbone=dict(norm_cfg=dict(momentum=0.01)), head=dict(norm_cfg=dict(momentum=0.1)))),
            {'train_cfg.max_epochs': 5, 'train_cfg.val_interval': 5, 'model.backbone.norm_cfg.momentum': 0.1},
            id='a slow batch norm too, up to the usual one',
        ),
        pytest.param(
            dict(batch_size=16),
            dict(custom_hooks=EMA, train_dataloader=dict(batch_size=32), val_dataloader=dict(batch_size=8)),
            {
                'train_dataloader.batch_size': 16,
                'val_dataloader.batch_size': 16,
                'custom_hooks.0.momentum': 0.0005,
            },
            id='half the batch is twice the steps',
        ),
        pytest.param(
            dict(lr=0.01),
            dict(param_scheduler=dict(type='CosineAnnealingLR', end=100, eta_min=1e-3)),
            {'optim_wrapper.optimizer.lr': 0.01, 'param_scheduler.eta_min': 1e-4},
            id='the lowest rate is in proportion',
        ),
        pytest.param(
            dict(workers=0, seed=0),
            dict(train_dataloader=dict(prefetch_factor=4)),
            {
                'randomness.seed': 0,
                'train_dataloader.num_workers': 0,
                'train_dataloader.prefetch_factor': None,
            },
            id='no workers prefetch nothing',
        ),
        pytest.param(
            dict(save_every=50),
            dict(train_cfg=ITERATIONS, default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1))),
            {'default_hooks.checkpoint.interval': 50, 'default_hooks.checkpoint.by_epoch': False},
            id='checkpoints are counted as the run is',
        ),
        pytest.param(
            dict(patience=3, balance=True),
            dict(val_cfg=dict(), val_dataloader=dict(), val_evaluator=dict()),
            {
                'default_hooks.early_stop.type': 'mmpretrain_inception.EarlyStopHook',
                'default_hooks.early_stop.patience': 3,
                'default_hooks.class_weights.type': 'mmpretrain_inception.ClassWeightHook',
            },
            id='hooks',
        ),
        pytest.param(
            dict(patience=3),
            dict(
                val_cfg=dict(),
                val_dataloader=dict(),
                val_evaluator=dict(),
                custom_hooks=[*EMA, dict(type='EarlyStoppingHook', monitor='accuracy/top1')],
            ),
            {'custom_hooks.1.patience': 3},
            id='the hook that is there',
        ),
        *(
            pytest.param(
                dict(freeze=stage),
                dict(model=dict(backbone=dict(type='mmpretrain_inception.InceptionV3'))),
                {'model.backbone.frozen_stages': number},
                id=f'freeze {stage}',
            )
            for stage, number in ((2, 2), ('2', 2), ('Mixed_6e', 3), ('all', 4))
        ),
    ],
)
def test_what_else_follows_from_an_option(options, config, expected):
    assert settings(options, **config) == expected


@pytest.mark.parametrize(
    ('options', 'config', 'message'),
    [
        (dict(epochs=0), {}, '--epochs 0: expected a whole number of at least 1'),
        (dict(epochs=2), dict(train_cfg=None), '--epochs 2: expected a config with train_cfg.max_epochs or max_iters'),
        (dict(batch_size=0), {}, '--batch-size 0: expected a whole number of at least 1'),
        (dict(workers=-1), {}, '--workers -1: expected a whole number of at least 0'),
        (dict(seed=1.5), {}, '--seed 1.5: expected a whole number of at least 0'),
        (dict(lr=float('nan')), {}, '--lr nan: expected a number above 0'),
        (dict(lr=1.0), dict(optim_wrapper=None), '--lr 1.0: expected a config with optim_wrapper.optimizer'),
        (dict(save_every=1), {}, '--save-every 1: expected a config with default_hooks.checkpoint'),
        (dict(patience=3), {}, '--patience 3: expected a config that validates, but this one does not'),
        (dict(image_size='9x9x9'), {}, '--image-size 9x9x9: expected H or HxW in pixels'),
        (
            dict(freeze='Mixed_6'),
            dict(model=dict(backbone=dict(type='mmpretrain_inception.InceptionV3'))),
            '--freeze Mixed_6: expected a stage of 0 Conv2d_2b_3x3, .* 4 Mixed_7c, or all',
        ),
        (
            dict(freeze=1),
            dict(model=dict(backbone=dict(type='mmpretrain.InceptionV3'))),
            '--freeze 1: expected a backbone with frozen_stages, got mmpretrain.InceptionV3',
        ),
    ],
)
def test_what_an_option_cannot_be(options, config, message):
    with pytest.raises(UsageError, match=message):
        settings(options, **config)


FOLDER = str(CONFIGS / 'inception-v3_1xb32_folder.py')


def test_the_same_answer_twice_is_accepted():
    twice = {'train_cfg.max_epochs': 5, 'optim_wrapper.optimizer.lr': 1}
    cfg, notes = read_config(TrainOptions(FOLDER, twice, epochs=5, lr=1))
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[1].end, cfg.optim_wrapper.optimizer.lr) == (5, 5, 1)
    assert notes == ()


@pytest.mark.parametrize(
    ('options', 'cfg_options', 'message'),
    [
        (
            dict(epochs=5),
            {'train_cfg.max_epochs': 4},
            '--epochs 5: --cfg-options train_cfg.max_epochs=4 says',
        ),
        (
            dict(seed=5),
            {'randomness': dict(seed=4)},
            r"--seed 5: --cfg-options randomness=\{'seed': 4\} says",
        ),
        (
            dict(image_size=200),
            {'test_dataloader.dataset.pipeline.2.crop_size': 299},
            'test_dataloader.dataset.pipeline.2.crop_size=299 says something else',
        ),
    ],
)
def test_two_answers_are_refused(options, cfg_options, message):
    with pytest.raises(UsageError, match=message):
        read_config(TrainOptions(FOLDER, cfg_options, **options))


def test_what_only_follows_gives_way_and_that_is_said():
    cfg, notes = read_config(TrainOptions(FOLDER, {'param_scheduler.0.end': 3}, epochs=10))
    assert (cfg.param_scheduler[0].end, cfg.param_scheduler[1].end) == (3, 10)
    assert notes == ()
    cfg, notes = read_config(TrainOptions(FOLDER, {'param_scheduler.1.end': 30}, epochs=10))
    assert cfg.param_scheduler[1].end == 30
    assert notes == (
        'param_scheduler.1.end=30 (--cfg-options) is used instead of 10, which would follow from --epochs 10',
    )


TRAINED = sorted(path.name for path in CONFIGS.glob('*.py') if '_fid' not in path.name)


@pytest.mark.parametrize(('name', 'epochs'), [*itertools.product(TRAINED, [3])])
def test_every_config_ends_its_schedule_with_the_run(name, epochs):
    path = str(CONFIGS / name)
    cfg, _ = read_config(TrainOptions(path, epochs=epochs, batch_size=4, lr=0.5, workers=0, seed=3, save_every=2))
    schedulers = cfg.param_scheduler if isinstance(cfg.param_scheduler, list) else [cfg.param_scheduler]
    assert cfg.train_cfg.max_epochs == epochs
    assert {scheduler.get('end', epochs) for scheduler in schedulers[-1:]} == {epochs}
    assert all(scheduler.get('end', 1) < epochs for scheduler in schedulers[:-1])
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert {cfg[f'{phase}_dataloader'].batch_size for phase in ('train', 'val', 'test')} == {4}
    assert cfg.auto_scale_lr == load_config(path).auto_scale_lr
