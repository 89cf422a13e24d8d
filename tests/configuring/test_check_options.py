"""Settings that nothing has are refused in two lines, with the nearest one that there is."""

from collections.abc import Mapping

import pytest
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.configuring.check_options import check_options, without_variables
from mmpretrain_inception.configuring.config_file import load_config, merge_options
from mmpretrain_inception.configuring.known_settings import accepted_names, names_at_top, names_of
from mmpretrain_inception.configuring.options import TestOptions, TrainOptions
from mmpretrain_inception.errors import UsageError

FOLDER = CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py'


@pytest.fixture(scope='module')
def file():
    return load_config(str(FOLDER))


def check(file, key, value, kind=TrainOptions, **more):
    cfg = Config(file.to_dict())
    settings = {key: value, **more}
    merge_options(cfg, settings)
    check_options(kind('c.py', settings), file, cfg)


MISTYPED = {
    'train_cfg.max_epoch': 'train_cfg.max_epochs',
    'optim_wraper.optimizer.lr': 'optim_wrapper.optimizer.lr',
    'model.head.dropuot': 'model.head.dropout',
    'model.head.loss.label_smooth': 'model.head.loss.label_smooth_val',
    'model.backbone.frozen_stage': 'model.backbone.frozen_stages',
    'model.backbone.norm_evl': 'model.backbone.norm_eval',
    'model.backbonee.with_cp': 'model.backbone.with_cp',
    'optim_wrapper.optimizer.weight_decy': 'optim_wrapper.optimizer.weight_decay',
    'optim_wrapper.clip_grad.maxnorm': 'optim_wrapper.clip_grad.max_norm',
    'optim_wrapper.paramwise_cfg.norm_decay': 'optim_wrapper.paramwise_cfg.norm_decay_mult',
    'optim_wrapper.acumulative_counts': 'optim_wrapper.accumulative_counts',
    'train_dataloader.batchsize': 'train_dataloader.batch_size',
    'train_dataloader.num_worker': 'train_dataloader.num_workers',
    'train_dataloader.dataset.pipline.1.scale': 'train_dataloader.dataset.pipeline.1.scale',
    'train_dataloader.dataset.pipeline.1.scal': 'train_dataloader.dataset.pipeline.1.scale',
    'default_hooks.chekpoint.interval': 'default_hooks.checkpoint.interval',
    'default_hooks.checkpoint.intervall': 'default_hooks.checkpoint.interval',
    'custom_hooks.0.momentm': 'custom_hooks.0.momentum',
    'param_scheduler.1.eta_mn': 'param_scheduler.1.eta_min',
    'randomness.sed': 'randomness.seed',
    'env_cfg.cudnn_bench': 'env_cfg.cudnn_benchmark',
    'visualizer.vis_backend.0.type': 'visualizer.vis_backends.0.type',
    'val_evaluator.0.topks': 'val_evaluator.0.topk',
    'data_preprocessor.means': 'data_preprocessor.mean',
    'auto_scale_lr.base_batch': 'auto_scale_lr.base_batch_size',
    'load_form': 'load_from',
    # In the wrong place.
    'model.with_aux': 'model.head.with_aux',
    'head.with_aux': 'model.head.with_aux',
    'dropout': 'model.head.dropout',
    'optim_wrapper.lr': '--lr or optim_wrapper.optimizer.lr',
    'lr': '--lr or optim_wrapper.optimizer.lr',
    'epochs': '--epochs',
    'seed': '--seed or randomness.seed',
}


@pytest.mark.parametrize(('key', 'meant'), MISTYPED.items())
def test_a_setting_that_nothing_has(file, key, meant):
    with pytest.raises(UsageError) as error:
        check(file, key, 2)
    assert str(error.value) == f'--cfg-options {key}=2: there is no such setting\ndid you mean {meant}?'


VARIABLES = {
    'EPOCHS': '--epochs or train_cfg.max_epochs or param_scheduler.1.end',
    'train_pipeline.1.scale': '--image-size or train_dataloader.dataset.pipeline.1.scale',
    'test_pipeline.2.crop_size': '--image-size or val_dataloader.dataset.pipeline.2.crop_size or '
    'test_dataloader.dataset.pipeline.2.crop_size',
    'vis_backends.0.type': 'visualizer.vis_backends.0.type',
}


@pytest.mark.parametrize(('key', 'meant'), VARIABLES.items())
def test_a_variable_of_the_file(file, key, meant):
    with pytest.raises(UsageError) as error:
        check(file, key, 2)
    name = key.partition('.')[0]
    assert str(error.value) == (
        f'--cfg-options {key}=2: {name} is a variable of the config file; to change it here has no effect\nuse {meant}'
    )


def test_a_variable_whose_use_is_not_found(tmp_path):
    path = tmp_path / 'c.py'
    path.write_text('width = 3\nmodel = dict(backbone=dict(depth=2 * width))\nmine = 3  # width\n')
    file = load_config(str(path))
    with pytest.raises(UsageError, match='set what the file computes from it, or change the file'):
        check(file, 'width', 2)
    # Nothing in the file uses it, so that some code may read it.
    check(file, 'mine', 2)
    assert list(without_variables(file)) == ['model', 'mine']


def test_what_nothing_resembles(file):
    with pytest.raises(UsageError, match=r'tools/print_config\.py CONFIG prints the settings of a config'):
        check(file, 'quux', 2)
    with pytest.raises(UsageError, match=r'auto_scale_lr has the settings base_batch_size, enable, type'):
        check(file, 'auto_scale_lr.quux', 2)


def test_a_tool_suggests_only_its_own_options(file):
    with pytest.raises(UsageError, match=r'use train_cfg\.max_epochs or param_scheduler'):
        check(file, 'EPOCHS', 2, TestOptions)


@pytest.mark.parametrize(
    ('key', 'value', 'more'),
    [
        ('compile', True, {}),
        ('compile.mode', 'max-autotune', {}),
        ('work_dir', 'w', {}),
        ('model.backbone.with_cp', True, {}),
        ('model.head.norm_cfg.type', 'BN', {}),
        ('model.head.loss._delete_', True, {'model.head.loss.type': 'CrossEntropyLoss'}),
        ('model.backbone.init_cfg.type', 'Pretrained', {'model.backbone.init_cfg.checkpoint': 'a.pth'}),
        ('default_hooks.mine.type', 'EarlyStoppingHook', {'default_hooks.mine.monitor': 'accuracy/top1'}),
        ('default_hooks.checkpoint.save_best', 'auto', {}),
        ('default_hooks.checkpoint.save_optimizer', False, {}),
        ('custom_hooks.0.priority', 'LOW', {}),
        ('custom_hooks.0.gamma', 5, {}),
        ('optim_wrapper.type', 'AmpOptimWrapper', {'optim_wrapper.loss_scale': 'dynamic'}),
        (
            'optim_wrapper.constructor',
            'LearningRateDecayOptimWrapperConstructor',
            {'optim_wrapper.paramwise_cfg.layer_decay_rate': 0.8},
        ),
        ('optim_wrapper.optimizer.type', 'SGD', {'optim_wrapper.optimizer.nesterov': True}),
        (
            'test_dataloader.dataset.type',
            'mmpretrain_inception.ImageNetSubset',
            {'test_dataloader.dataset.excluded': 'f'},
        ),
        ('test_dataloader.dataset.indices', 5, {}),
        ('train_dataloader.prefetch_factor', 4, {}),
        ('train_dataloader.num_batch_per_epoch', 4, {}),
        ('visualizer.vis_backends.0.type', 'TensorboardVisBackend', {}),
        ('env_cfg.dist_cfg.timeout', 60, {}),
        ('train_cfg.dynamic_intervals', [(1, 2)], {}),
        ('param_scheduler.0.convert_to_iter_based', False, {}),
    ],
)
def test_settings_that_the_file_does_not_name_but_the_class_has(file, key, value, more):
    check(file, key, value, **more)


def test_a_class_that_takes_anything_and_one_that_nobody_knows_are_left_alone(file):
    check(file, 'model.head.loss.type', 'NobodysLoss', **{'model.head.loss.foo': 1})

    class Free:
        def __init__(self, size, **kwargs):
            pass

    class Closed(Free):
        def __init__(self, shape, **kwargs):
            pass

    class Base:
        def __init__(self, depth):
            pass

    class Inner(Base):
        def __init__(self, width, **kwargs):
            pass

    assert accepted_names(Closed, {}) is None
    assert accepted_names(Inner, {}) == {'width', 'depth'}


def parts_of(value, place):
    if isinstance(value, Mapping):
        yield place, value
    for name, part in value.items() if isinstance(value, Mapping) else enumerate(value):
        if isinstance(part, (Mapping, list, tuple)):
            yield from parts_of(part, f'{place}.{name}')


def test_every_setting_of_every_config_would_be_known_without_its_file():
    unknown, seen = [], set()
    for path in CONFIGS.glob('*.py'):
        cfg = without_variables(load_config(str(path)))
        unknown += set(cfg) - names_at_top()
        for top, value in cfg.items():
            for place, part in parts_of(value, top) if isinstance(value, (dict, list, tuple)) else ():
                form = (place, part.get('type'), *part)
                names = names_of(part, place) if form not in seen else None
                unknown += [f'{path.name}: {place}.{name}' for name in part if names is not None and name not in names]
                seen.add(form)
    assert unknown == []
