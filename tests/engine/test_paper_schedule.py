import copy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook, Hook
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from support import CONFIGS, REPOSITORY
from torch import nn
from torch.utils.data import DataLoader

SCHEDULE = Config.fromfile(REPOSITORY / 'configs' / '_base_' / 'schedules' / 'imagenet_bs1600_rmsprop_100e.py')
(AVERAGE,) = SCHEDULE.custom_hooks


class OneWeight(BaseModel):
    """One batch norm and one weight, so that a hundred epochs take a second."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.norm = nn.BatchNorm1d(1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=self.norm(inputs * self.weight).square().mean() + self.weight.square().sum())


class Recorder(Hook):
    # After EMAHook.
    priority = 'LOW'

    def __init__(self):
        self.rates, self.weights, self.means = [], [], []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])
        self.weights.append(runner.model.weight.item())
        self.means.append(runner.model.norm.running_mean.item())


def train(work_dir, epochs, optim_wrapper=SCHEDULE.optim_wrapper, average=AVERAGE):
    """Train by the paper's schedule, two steps an epoch, and return the averaged model and a record of the steps."""
    torch.manual_seed(0)
    recorder = Recorder()
    runner = Runner(
        model=OneWeight(),
        work_dir=str(work_dir),
        experiment_name=str(work_dir),
        default_scope='mmpretrain',
        train_dataloader=DataLoader([dict(inputs=torch.randn(1)) for _ in range(8)], batch_size=4),
        optim_wrapper=copy.deepcopy(optim_wrapper),
        param_scheduler=SCHEDULE.param_scheduler,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        custom_hooks=[average, recorder],
        default_hooks=dict(logger=None, checkpoint=None),
    )
    runner.train()
    return next(hook for hook in runner.hooks if isinstance(hook, EMAHook)).ema_model.module, recorder


def test_the_learning_rate_of_all_100_epochs_is_the_papers(tmp_path):
    _, recorder = train(tmp_path, SCHEDULE.train_cfg.max_epochs)
    expected = [0.045 * 0.94 ** (epoch // 2) for epoch in range(100) for _ in range(2)]
    assert recorder.rates == pytest.approx(expected, rel=1e-12)


def tensorflows_average(values, decay=0.9999):
    """Average what a variable was after each step, as TensorFlow does from its first value on."""
    tf = pytest.importorskip('tensorflow')
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable('x', initializer=np.float32(values[0]))
        updates = tf.compat.v1.placeholder(tf.int64, [])
        average = tf.compat.v1.train.ExponentialMovingAverage(decay, num_updates=updates)
        apply, shadow = average.apply([variable]), average.average(variable)
        session.run(tf.compat.v1.global_variables_initializer())
        for count, value in enumerate(values[1:]):
            variable.load(np.float32(value), session)
            session.run(apply, {updates: count})
        return session.run(shadow)


@pytest.mark.parametrize('epochs', [1, 6, 100])
def test_the_average_is_tensorflows_with_num_updates(tmp_path, epochs):
    averaged, recorder = train(tmp_path, epochs)
    assert averaged.weight.item() == pytest.approx(tensorflows_average(recorder.weights), rel=1e-5)
    # Batch norm's statistics are averaged too.
    assert averaged.norm.running_mean.item() == pytest.approx(tensorflows_average(recorder.means), rel=1e-5)


def test_the_averages_decay_ends_at_the_papers():
    average = MODELS.build(
        dict(type=AVERAGE.ema_type, momentum=AVERAGE.momentum, gamma=AVERAGE.gamma),
        default_args=dict(model=nn.Linear(1, 1)),
    )
    average.steps.fill_(100_000)
    averaged, source = torch.zeros(1), torch.ones(1)
    average.avg_func(averaged, source, average.steps)
    assert averaged.item() == pytest.approx(1 - 0.9999)


@pytest.mark.parametrize(
    ('recipe', 'with_aux', 'convolutions', 'classifiers'),
    [
        ('inception-v3-paper_50xb32_in1k', True, 96, 2),
        ('inception-v3-paper_50xb32_in1k', False, 94, 1),
        ('inception-v3-modern_8xb128_in1k', True, 96, 2),
        ('inception-v3-paper_1xb64_folder-75px', True, 96, 2),
        ('inception-v3-modern_1xb64_folder-75px', True, 96, 2),
    ],
)
def test_convolution_and_final_weights_are_decayed_and_nothing_else(recipe, with_aux, convolutions, classifiers):
    cfg = Config.fromfile(CONFIGS / f'{recipe}.py')
    cfg.model.head.with_aux = with_aux
    model = MODELS.build(cfg.model)
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper).optimizer
    decay = {parameter: group['weight_decay'] for group in optimizer.param_groups for parameter in group['params']}
    assert set(decay) == set(model.parameters())
    assert set(decay.values()) == {0.0, cfg.optim_wrapper.optimizer.weight_decay}
    for kind, count in ((nn.Conv2d, convolutions), (nn.Linear, classifiers)):
        weights = [module.weight for module in model.modules() if isinstance(module, kind)]
        assert len(weights) == count
        assert all(decay.pop(weight) > 0 for weight in weights)
    assert not any(decay.values())
