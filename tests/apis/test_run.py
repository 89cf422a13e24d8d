"""Training and testing from Python, with a network of a few layers."""

import json
from glob import glob
from itertools import count
from pathlib import Path

import pytest
import torch
from folder_loaders import FOLDER_LOADERS
from mmengine.config import Config
from mmpretrain.registry import MODELS
from support import run_tool

from mmpretrain_inception.apis import TestOptions, TrainOptions, evaluate, find_lr, train
from mmpretrain_inception.apis.fast import quicken
from mmpretrain_inception.configuring.fast import WAYS, choose_way
from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import open_weights

CONFIG = """
default_scope = 'mmpretrain'
runner_type = 'mmpretrain_inception.ResumableRunner'
image_folder = None
data_preprocessor = dict(num_classes=2, mean=[120.0] * 3, std=[60.0] * 3, to_rgb=True)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='MobileNetV2', widen_factor=0.25),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=2, in_channels=1280),
)
pipeline = [
    dict(type='mmpretrain_inception.LoadImage'),
    dict(type='ResizeEdge', scale=32, edge='short'),
    dict(type='CenterCrop', crop_size=32),
    dict(type='PackInputs'),
]
"""
CONFIG += (
    FOLDER_LOADERS
    + """
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01))
auto_scale_lr = dict(base_batch_size=24)
randomness = dict(seed=0)
"""
)


@pytest.fixture
def folder(tmp_path, image_folder, monkeypatch):
    """A folder with a config, images and two checkpoints of random weights; relative paths start there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c.py').write_text(CONFIG)
    settings = Config.fromfile(tmp_path / 'c.py').model
    settings.head.num_classes = 3
    for seed, name in enumerate('ab'):
        torch.manual_seed(seed)
        model = MODELS.build(settings)
        meta = dict(dataset_meta=dict(classes=('ant', 'bee', 'cat')))
        torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / f'{name}.pth')
    return tmp_path


NUMBERS = count()


def test_options(folder, name, **options):
    # mmengine takes two runs of one name in the same second for one.
    settings = {'experiment_name': f'{name}-{next(NUMBERS)}', **(options.pop('cfg_options', None) or {})}
    return TestOptions(options.pop('config', 'c.py'), settings, work_dir=str(folder / name), **options)


test_options.__test__ = False


@pytest.mark.parametrize(
    ('checkpoints', 'options'),
    [
        (('a.pth',), {}),
        (('a.pth',), dict(tta=True)),
        (('a.pth',), dict(amp=True, skip_broken=True)),
        (('a.pth', 'b.pth'), {}),
        (('a.pth', 'b.pth'), dict(tta=True)),
    ],
    ids=['one', 'tta', 'amp', 'ensemble', 'ensemble and tta'],
)
def test_the_dumped_config_gives_the_same_metrics_from_any_folder(folder, monkeypatch, checkpoints, options):
    expected = evaluate(test_options(folder, 'first', data='images', checkpoints=checkpoints, **options))
    (dumped,) = glob(str(folder / 'first/*/c.py'))
    (folder / 'other').mkdir()
    monkeypatch.chdir(folder / 'other')
    # Those of an ensemble are in its config.
    again = () if len(checkpoints) > 1 else (str(folder / 'a.pth'),)
    for name, repeated in (('second', {}), ('third', options)):
        assert evaluate(test_options(folder, name, config=dumped, checkpoints=again, **repeated)) == expected


def test_the_users_option_says_which_images_are_tested(folder):
    (folder / 'images/other/cat').mkdir(parents=True)
    (folder / 'images/val/cat/0.jpg').rename(folder / 'images/other/cat/0.jpg')
    option = {'test_dataloader.dataset.data_prefix': 'other'}
    arguments = dict(data='images', checkpoints=('a.pth',), skip_broken=True)
    assert evaluate(test_options(folder, 'val', **arguments))['images'] == 11
    assert evaluate(test_options(folder, 'test', cfg_options=option, **arguments))['images'] == 1


WRAPPED = """
_base_ = 'c.py'
inner = dict(type='mmpretrain_inception.ImageFolder', pipeline={{_base_.pipeline}})
train_dataloader = dict(dataset=dict(_delete_=True, type=%s))
"""


@pytest.mark.parametrize(
    ('wrapper', 'images'),
    [
        ("'RepeatDataset', times=3, dataset=inner", 72),
        ("'ClassBalancedDataset', oversample_thr=0.1, dataset=inner", 24),
        ("'KFoldDataset', fold=0, num_splits=3, test_mode=False, dataset=inner", 16),
        ("'ConcatDataset', datasets=[inner, inner]", 48),
    ],
)
def test_own_images_are_trained_on_through_wrappers(folder, wrapper, images):
    (folder / 'w.py').write_text(WRAPPED % wrapper)
    settings = {'experiment_name': folder.name, 'train_cfg.max_epochs': 1, 'train_dataloader.batch_size': images}
    train(TrainOptions('w.py', settings, data='images', work_dir='work'))
    # One batch, which no image is missing from.
    assert open_weights(folder / 'work/epoch_1.pth').meta['iter'] == 1


def test_a_run_from_the_dumped_config_ends_as_the_first_one(folder):
    settings = {'experiment_name': f'{folder.name}-1', 'optim_wrapper.accumulative_counts': 2}
    train(TrainOptions('c.py', settings, data='images', work_dir='first', amp=True, auto_scale_lr=True))
    again = {'experiment_name': f'{folder.name}-2'}
    train(TrainOptions('first/c.py', again, work_dir=str(folder / 'second')))
    first, second = (open_weights(folder / name / 'epoch_2.pth').tensors for name in ('first', 'second'))
    assert all(torch.equal(first[name], second[name]) for name in first)


def way_of(name):
    (way,) = (way for way in WAYS if way.name == name)
    return way


def measure(folder, name, **options):
    return evaluate(test_options(folder, name, data='images', **{'checkpoints': ('a.pth',), **options}))


@pytest.fixture
def kept(folder, monkeypatch):
    """Return the exported files that are kept for the next time."""
    monkeypatch.setenv('TORCH_HOME', str(folder / 'home'))
    return lambda: sorted((folder / 'home').rglob('*.*'))


@pytest.mark.parametrize('name', ['PyTorch in bf16', 'PyTorch in fp32'])
def test_the_fastest_way_in_pytorch_gives_the_same_metrics(folder, monkeypatch, capsys, name):
    monkeypatch.setattr('mmpretrain_inception.apis.fast.choose_way', lambda machine: way_of(name))
    plain, fast = measure(folder, 'plain'), measure(folder, 'fast', fast=True)
    assert f'--fast: {name}' in capsys.readouterr().out
    assert fast['accuracy/top1'] == plain['accuracy/top1']
    tolerance = 1e-4 if 'fp32' in name else 0.05
    assert fast['single-label/cross_entropy'] == pytest.approx(plain['single-label/cross_entropy'], rel=tolerance)


@pytest.mark.slow
def test_the_fastest_way_here_gives_the_same_metrics_and_keeps_its_file(folder, kept):
    """Each in a process of its own, as users have it; runtimes leave threads behind."""
    command = ('test.py', 'c.py', 'a.pth', '--data', 'images')
    written = ('--out', 'm.json', '--out-item', 'metrics')
    metrics = []
    for options in ((), ('--fast',), ('--fast',)):
        result = run_tool(*command, *options, *written, cwd=folder)
        assert result.returncode == 0, result.stderr
        metrics.append(json.loads((folder / 'm.json').read_text()))
    plain, fast, again = metrics
    assert f'--fast: {choose_way(Machine.here()).name}' in result.stdout
    # Found, not written again.
    assert 'wrote' not in result.stdout
    assert again == fast
    assert fast['accuracy/top1'] == plain['accuracy/top1']
    assert fast['single-label/cross_entropy'] == pytest.approx(plain['single-label/cross_entropy'], rel=0.05)
    assert bool(kept()) == bool(choose_way(Machine.here()).runtime)


@pytest.mark.parametrize(
    ('change', 'new'),
    [
        ({}, False),
        (dict(cfg_options={'work_dir': 'elsewhere', 'test_dataloader.batch_size': 3}), False),
        (dict(checkpoints=('b.pth',)), True),
        (dict(cfg_options={'test_dataloader.dataset.pipeline.2.crop_size': 31}), True),
        (dict(cfg_options={'model.head.topk': 2}), True),
    ],
    ids=str,
)
def test_a_file_is_used_again_for_the_same_weights_network_and_images(folder, monkeypatch, kept, change, new):
    monkeypatch.setattr('mmpretrain_inception.apis.fast.choose_way', lambda machine: way_of('OpenVINO in fp32'))
    monkeypatch.setattr('mmpretrain_inception.apis.fast.export', lambda options: Path(options.out).touch())
    for options in ({}, change):
        quicken(TestOptions('c.py', data='images', fast=True, **{'checkpoints': ('a.pth',), **options}))
    assert len(kept()) == 1 + new


def test_a_network_that_cannot_be_exported_is_tested_in_pytorch(folder, monkeypatch, capsys, kept):
    def fail(options):
        raise InputError('no such operator')

    monkeypatch.setattr('mmpretrain_inception.apis.fast.choose_way', lambda machine: way_of('OpenVINO in fp32'))
    monkeypatch.setattr('mmpretrain_inception.apis.fast.export', fail)
    assert measure(folder, 'fast', fast=True)['accuracy/top1'] == measure(folder, 'plain')['accuracy/top1']
    assert '--fast: PyTorch, since the export to openvino failed: no such operator' in capsys.readouterr().out
    assert not kept()


def test_where_the_file_cannot_be_kept_the_test_runs_in_pytorch(folder, monkeypatch, capsys):
    monkeypatch.setenv('TORCH_HOME', str(folder / 'c.py'))
    monkeypatch.setattr('mmpretrain_inception.apis.fast.choose_way', lambda machine: way_of('OpenVINO in fp32'))
    assert measure(folder, 'fast', fast=True)['accuracy/top1'] == measure(folder, 'plain')['accuracy/top1']
    assert 'c.py is not one' in capsys.readouterr().out


def test_folds_are_trained_once_and_summed_up(folder, capsys):
    def train_folds(**changed):
        train(TrainOptions('c.py', data='images', work_dir='work', folds=2, epochs=1, **changed))
        return [line for line in capsys.readouterr().out.splitlines() if line.startswith(('accuracy/', 'fold '))]

    first = train_folds()
    assert first[:2] == ['fold 1 of 2: work/fold_1_of_2', 'fold 2 of 2: work/fold_2_of_2']
    # A fold that was interrupted goes on from its checkpoint; the other is not trained again.
    (folder / 'work/fold_2_of_2/metrics.json').unlink()
    assert train_folds() == ['fold 1 of 2: work/fold_1_of_2, trained before', *first[1:]]
    assert json.loads((folder / 'work/folds.json').read_text()).keys() == {'folds', 'mean', 'std'}
    with pytest.raises(InputError, match='fold_1_of_2 was trained with other settings'):
        train_folds(lr=0.5)


def test_a_learning_rate_is_found_and_nothing_of_the_sweep_is_kept(folder):
    found = find_lr(TrainOptions('c.py', data='images', work_dir='work'), start=1e-4, end=10.0, steps=150)
    assert 1e-3 < found.rate < 1
    assert found.picture.read_bytes().startswith(b'\x89PNG')
    assert not list(folder.glob('work/**/*.pth'))


@pytest.mark.parametrize(
    ('sweep', 'message'),
    [
        (dict(start=0.0), '--start 0.0 --end 1.0: expected two rising'),
        (dict(steps=5), '--steps 5: expected at least 20'),
    ],
)
def test_a_sweep_that_is_none(sweep, message):
    with pytest.raises(InputError, match=message):
        find_lr(TrainOptions('c.py'), **sweep)
