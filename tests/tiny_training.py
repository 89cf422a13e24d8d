"""A network of two layers, trained on numbers in hundredths of a second; some of them may make its loss infinite."""

import torch
from mmengine.dataset import pseudo_collate
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from torch import nn
from torch.utils.data import DataLoader

from mmpretrain_inception.engine import ResumableRunner

GOOD, BAD = 1.0, float('nan')


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(2)
        self.fc = nn.Linear(2, 1)

    def forward(self, inputs, data_samples, mode):
        return dict(loss=self.fc(self.norm(torch.stack(inputs))).square().mean())


class Numbers:
    """Pairs of numbers with a file name each; ``bad`` are those that are no numbers."""

    metainfo = {}

    def __init__(self, bad=(), length=8):
        self.bad, self.length = bad, length

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        inputs = torch.randn(2, generator=torch.Generator().manual_seed(index)) * (BAD if index in self.bad else GOOD)
        return dict(inputs=inputs, data_samples=DataSample(img_path=f'{index}.jpg'))


def train(folder, bad=(), max_skipped=0, accumulate=1, length=8, rate=0.1, **options):
    torch.manual_seed(0)
    model = Net()
    runner = ResumableRunner(
        model=model,
        work_dir=str(folder),
        train_dataloader=DataLoader(Numbers(bad, length), batch_size=2, collate_fn=pseudo_collate),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), rate, momentum=0.9), accumulate),
        default_hooks=dict(
            plain=dict(type='mmpretrain_inception.PlainCheckpointHook'),
            finite_loss=dict(type='mmpretrain_inception.FiniteLossHook', max_skipped=max_skipped),
        ),
        custom_hooks=[dict(type='mmpretrain_inception.SyncedEMAHook', momentum=0.5, update_buffers=True)],
        log_level='WARNING',
        experiment_name=folder.name,
        **options,
    )
    runner.train()
    return runner
