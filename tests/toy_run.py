"""A run of a second: a linear layer with batch norm and dropout on five batches of numbers that are drawn anew."""

import itertools

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from torch import nn

from mmpretrain_inception.engine import ResumableRunner

NAMES = itertools.count()
HOOKS = dict(
    sync_buffers=dict(type='SyncBuffersHook'),
    plain_checkpoint=dict(type='mmpretrain_inception.PlainCheckpointHook'),
    logger=dict(type='LoggerHook', interval=100),
)


class Model(BaseModel):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 1))

    def forward(self, inputs, mode='tensor'):
        outputs = self.layers(inputs)
        # As mixing images in the main process does.
        return dict(loss=(outputs - np.random.random()).square().mean()) if mode == 'loss' else list(outputs)


class Numbers:
    def __len__(self):
        return 10

    def __getitem__(self, index):
        return dict(inputs=torch.tensor(np.random.normal(index, size=3), dtype=torch.float32))


class Fixed(Numbers):
    def __getitem__(self, index):
        return dict(inputs=torch.full((3,), float(index)))


class Mean(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results += [float(sample) for sample in data_samples]

    def compute_metrics(self, results):
        return dict(mean=sum(results) / len(results))


class Do(Hook):
    """Calls a function after an iteration, counted from 1."""

    priority = 'LOWEST'

    def __init__(self, iteration, function):
        self.iteration, self.function = iteration, function

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            self.function()


class Killed(BaseException):
    """Stands for a kill."""


def build(work_dir, resume=False, epochs=3, hooks=(), accumulate=1, loop=None, runner=ResumableRunner, **checkpoint):
    checkpoint = (
        dict(type='CheckpointHook', interval=1, max_keep_ckpts=2, save_best='toy/mean', rule='less') | checkpoint
    )
    loader = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=True), collate_fn=dict(type='default_collate')
    )
    return runner(
        model=Model(),
        work_dir=str(work_dir),
        train_dataloader=dict(dataset=Numbers(), **loader),
        train_cfg=loop or dict(by_epoch=True, max_epochs=epochs),
        val_dataloader=dict(dataset=Fixed(), **loader),
        val_cfg=dict(),
        val_evaluator=[Mean()],
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9), accumulative_counts=accumulate),
        param_scheduler=[
            dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=7),
            dict(type='StepLR', by_epoch=True, step_size=2),
        ],
        default_hooks=HOOKS | dict(checkpoint=checkpoint),
        custom_hooks=[dict(type='EMAHook', momentum=0.2, update_buffers=True), *hooks],
        randomness=dict(seed=3),
        default_scope='mmengine',
        log_level='WARNING',
        resume=resume,
        experiment_name=f'toy_{next(NAMES)}',
        cfg=Config(),
    )


def state(runner):
    """All that is to be equal."""
    ema = next(hook for hook in runner.hooks if hasattr(hook, 'ema_model'))
    scalars = {name: buffer.data[0].tolist() for name, buffer in runner.message_hub.log_scalars.items()}
    return dict(
        model={name: value.tolist() for name, value in runner.model.state_dict().items()},
        average={name: value.tolist() for name, value in ema.ema_model.state_dict().items()},
        optimizer=str(runner.optim_wrapper.state_dict()),
        schedulers=str([scheduler.state_dict() for scheduler in runner.param_schedulers]),
        scalars={name: value for name, value in scalars.items() if not name.endswith('time')},
        best=runner.message_hub.get_info('best_score'),
        position=(runner.epoch, runner.iter),
    )
