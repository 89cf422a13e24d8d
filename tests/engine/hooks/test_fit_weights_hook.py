"""A model of one's own around the backbone, without a head: trained, started from a file, tested and resumed."""

import itertools

import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torchvision.models import inception_v3

from mmpretrain_inception import InceptionV3
from mmpretrain_inception.engine import ResumableRunner
from mmpretrain_inception.errors import InputError

NAMES = itertools.count()
KERNEL = 'Conv2d_2b_3x3.conv.weight'


class Host(BaseModel):
    def __init__(self):
        super().__init__()
        self.encoder, self.last = InceptionV3(out_indices=0), nn.Linear(64, 1)

    def forward(self, inputs, mode='tensor'):
        outputs = self.last(self.encoder(inputs)[0].mean(dim=(2, 3)))
        return dict(loss=outputs.square().mean()) if mode == 'loss' else list(outputs)


class Images:
    metainfo = dict(classes=('ant', 'bee'))

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return dict(inputs=torch.full((3, 80, 80), float(index)))


class Renamed(Images):
    metainfo = dict(classes=('zoo', 'bee'))


class Mean(BaseMetric):
    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results += [float(sample) for sample in data_samples]

    def compute_metrics(self, results):
        return dict(mean=sum(results) / len(results))


def runner(work_dir, images=Images, lr=0.0, epochs=1, kind=ResumableRunner, **options):
    loader = dict(
        dataset=images(),
        batch_size=2,
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )
    return kind(
        **dict(model=Host(), work_dir=str(work_dir), train_dataloader=loader, test_dataloader=loader, test_cfg=dict()),
        **dict(train_cfg=dict(by_epoch=True, max_epochs=epochs), test_evaluator=[Mean()]),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=lr)),
        default_hooks=dict(fit_weights=dict(type='mmpretrain_inception.FitWeightsHook')),
        default_scope='mmengine',
        log_level='WARNING',
        experiment_name=f'host_{next(NAMES)}',
        cfg=Config(),
        **options,
    )


def test_a_host_without_a_head_starts_from_a_publishers_file_and_is_tested_and_resumed(tmp_path):
    published = inception_v3(init_weights=False).state_dict()
    torch.save(published, tmp_path / 'published.pth')
    started = runner(tmp_path / 'work', load_from=str(tmp_path / 'published.pth'))
    started.train()
    assert torch.equal(started.model.encoder.state_dict()[KERNEL], published[KERNEL])

    tested = runner(tmp_path / 'test', load_from=str(tmp_path / 'work/epoch_1.pth'))
    tested.test()
    assert torch.equal(tested.model.last.weight, started.model.last.weight)

    resumed = runner(tmp_path / 'work', epochs=2, resume=True)
    resumed.train()
    assert resumed.epoch == 2

    with pytest.raises(InputError, match=r'published\.pth does not fill the model; missing: last\.weight'):
        runner(tmp_path / 'test', load_from=str(tmp_path / 'published.pth')).test()
    with pytest.raises(InputError, match="class 0 is 'ant' in the file, but 'zoo' in the data"):
        runner(tmp_path / 'test', Renamed, load_from=str(tmp_path / 'work/epoch_1.pth')).test()


@pytest.mark.parametrize('hook', ['mmengine.EMAHook', 'mmpretrain.EMAHook'])
def test_a_start_from_a_run_with_averages_starts_from_the_average(tmp_path, hook):
    average = dict(custom_hooks=[dict(type=hook, momentum=0.5)])
    runner(tmp_path / 'first', lr=0.1, **average).train()
    file = tmp_path / 'first/epoch_1.pth'
    saved = torch.load(file, weights_only=False)

    started = runner(tmp_path / 'second', load_from=str(file), **average)
    started.train()
    again = torch.load(tmp_path / 'second/epoch_1.pth', weights_only=False)

    weight = saved['state_dict']['last.weight']
    # The file holds the weights of the last step too, which are others.
    assert not torch.equal(weight, saved['ema_state_dict']['module.last.weight'])
    # With a learning rate of 0, the second run leaves both as they started.
    assert torch.equal(started.model.last.weight, weight)
    torch.testing.assert_close(again['state_dict']['last.weight'], weight, rtol=1e-6, atol=0)


def test_the_average_of_a_resumed_run_is_checked_too(tmp_path):
    average = dict(custom_hooks=[dict(type='mmengine.EMAHook')])
    runner(tmp_path, **average).train()
    checkpoint = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)
    checkpoint['ema_state_dict']['module.last.weight'][0, 0] = float('nan')
    torch.save(checkpoint, tmp_path / 'epoch_1.pth')

    with pytest.raises(InputError, match=r'ema_state_dict: last\.weight holds NaN or infinity'):
        runner(tmp_path, epochs=2, resume=True, **average).train()


def test_mmengines_own_runner_with_the_hook_takes_publishers_files(tmp_path):
    published = inception_v3(init_weights=False).state_dict()
    torch.save(published, tmp_path / 'published.pth')
    started = runner(tmp_path / 'work', kind=Runner, load_from=str(tmp_path / 'published.pth'))
    started.train()
    assert torch.equal(started.model.encoder.state_dict()[KERNEL], published[KERNEL])

    published[KERNEL][0, 0] = float('nan')
    torch.save(published, tmp_path / 'published.pth')
    with pytest.raises(InputError, match='holds NaN'):
        runner(tmp_path / 'other', kind=Runner, load_from=str(tmp_path / 'published.pth')).train()
