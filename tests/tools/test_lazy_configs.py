"""A config in mmengine's lazy style, whose types are classes, gets everything that one with names gets."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time

import narrow as narrow_networks
import pytest
from support import REPOSITORY

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow'), pytest.mark.xdist_group('lazy')]

BASE = """
from mmengine.dataset import DefaultSampler
from mmpretrain.datasets import CenterCrop, PackInputs, ResizeEdge

from mmpretrain_inception.datasets import ImageFolder, LoadImage
from mmpretrain_inception.evaluation import TopKAccuracy

image_folder = None
pipeline = [
    dict(type=LoadImage),
    dict(type=ResizeEdge, scale=75, edge='short'),
    dict(type=CenterCrop, crop_size=75),
    dict(type=PackInputs),
]
dataset = dict(type=ImageFolder, pipeline=pipeline)
train_dataloader = dict(batch_size=12, num_workers=1, dataset=dataset, sampler=dict(type=DefaultSampler, shuffle=True))
val_dataloader = dict(batch_size=12, num_workers=1, dataset=dataset, sampler=dict(type=DefaultSampler, shuffle=False))
test_dataloader = val_dataloader
val_evaluator = [dict(type=TopKAccuracy, topk=(1,))]
test_evaluator = val_evaluator
"""

CONFIG = """
from mmengine.config import read_base

with read_base():
    from .base import *

from mmengine.hooks import CheckpointHook, EMAHook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from mmpretrain.models import ClsDataPreprocessor, ImageClassifier
from torch.optim import SGD

from mmpretrain_inception import InceptionHead, InceptionNeck, InceptionV3
from mmpretrain_inception.engine import BrokenImageHook, ResumableRunner, StopSignalHook

default_scope = 'mmpretrain'
runner_type = ResumableRunner
data_preprocessor = dict(
    type=ClsDataPreprocessor, num_classes=2, mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True
)
model = dict(
    type=ImageClassifier,
    backbone=dict(type=InceptionV3),
    neck=dict(type=InceptionNeck),
    head=dict(type=InceptionHead, num_classes=2),
)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.001))
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=1)
val_cfg = dict(type=ValLoop)
test_cfg = dict(type=TestLoop)
default_hooks = dict(
    checkpoint=dict(type=CheckpointHook, interval=1, save_best='auto'),
    stop_signal=dict(type=StopSignalHook),
    broken_images=dict(type=BrokenImageHook, max_share=0.5),
)
custom_hooks = [dict(type=EMAHook)]
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('lazy')
    (folder / 'base.py').write_text(BASE)
    (folder / 'lazy.py').write_text(CONFIG)
    return folder


@pytest.fixture
def ready(folder, image_folder, tool):
    """The folder with images and one epoch trained on them, one of which is broken."""
    if not (folder / 'images').exists():
        shutil.copytree(image_folder, folder / 'images')
        (folder / 'images/train/ant/0.jpg').write_bytes(b'no image')
        result = tool('train.py', 'lazy.py', '--data', 'images', '--work-dir', 'work', '--verbose', cwd=folder)
        assert result.returncode == 0, result.stderr
        (folder / 'train.log').write_text(result.stdout + result.stderr)
    return folder


def test_checkpoints_are_the_safe_ones_and_broken_images_are_replaced(ready):
    assert 'SafeCheckpointHook' in (ready / 'train.log').read_text()
    assert 'images/train/ant/0.jpg' in (ready / 'work/broken_images.txt').read_text()
    assert (ready / 'work/epoch_1.pth').is_file()


def test_the_dumped_config_runs_from_another_folder(ready, tool, tmp_path):
    result = tool('test.py', ready / 'work/lazy.py', ready / 'work/epoch_1.pth', '--work-dir', tmp_path)
    expected = tool('test.py', 'lazy.py', 'work/epoch_1.pth', '--data', 'images', cwd=ready)
    assert result.returncode == expected.returncode == 0, result.stderr + expected.stderr
    accuracies = [re.search(r'^accuracy/top1 +([\d.]+)$', text.stdout, re.MULTILINE)[1] for text in (result, expected)]
    assert accuracies[0] == accuracies[1]


def test_a_signal_saves_a_checkpoint(ready):
    command = [sys.executable, REPOSITORY / 'tools/train.py', 'lazy.py', '--data', 'images', '--work-dir', 'stopped']
    environment = {**os.environ, **narrow_networks.environment()}
    process = subprocess.Popen([*command, '--cfg-options', 'train_cfg.max_epochs=200'], cwd=ready, env=environment)
    deadline = time.monotonic() + 120
    while not (ready / 'stopped/epoch_1.pth').exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    last = (ready / 'stopped/last_checkpoint').read_text()
    assert 'iter_' in last
    assert (ready / 'stopped' / last.rpartition('/')[2]).is_file()


@pytest.mark.parametrize(
    ('command', 'expected'),
    [
        (('get_flops.py', 'lazy.py', '--shape', '75'), 'Parameters:  '),
        (('verify_dataset.py', 'lazy.py', '--data', 'images'), 'images/train/ant/0.jpg'),
        (('export.py', 'lazy.py', 'work/epoch_1.pth', '--data', 'images', '--to', 'onnx', '--out', 'm.onnx'), 'wrote'),
    ],
    ids=['get_flops', 'verify_dataset', 'export'],
)
def test_the_other_tools_read_it(ready, tool, command, expected):
    result = tool(*command, cwd=ready)
    assert expected in result.stdout, result.stderr
    assert 'Traceback' not in result.stderr
