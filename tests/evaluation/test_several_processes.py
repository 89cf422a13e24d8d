"""Images that do not divide by the processes are each counted once, to the last digit."""

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from processes import in_processes

from mmpretrain_inception.registry import METRICS

CLASSES = 7


class Scores(torch.utils.data.Dataset):
    """Predictions with their labels, as a model would have made them."""

    metainfo = dict(classes=tuple('abcdefg'))

    def __init__(self, length):
        generator = torch.Generator().manual_seed(0)
        self.scores = torch.randn(length, CLASSES, generator=generator).mul(3).softmax(1)
        self.labels = torch.randint(CLASSES, (length,), generator=generator)

    def __len__(self):
        return len(self.scores)

    def __getitem__(self, index):
        return DataSample().set_gt_label(self.labels[index]).set_pred_score(self.scores[index])


def evaluate(rank, length, device):
    sampler = dict(type='DefaultSampler', shuffle=False)
    loader = Runner.build_dataloader(
        dict(dataset=Scores(length), batch_size=8, sampler=sampler, collate_fn=dict(type='pseudo_collate'))
    )
    kinds = (
        dict(type='mmpretrain_inception.TopKAccuracy', topk=(1, 5)),
        dict(type='mmpretrain_inception.CrossEntropy'),
    )
    evaluator = Evaluator([METRICS.build({**kind, 'collect_device': device}) for kind in kinds])
    for batch in loader:
        evaluator.process(batch)
    return evaluator.evaluate(length)


@pytest.mark.parametrize(
    ('images', 'processes', 'device'),
    # 'gpu' collects by communication, which works with gloo too, and 'cpu' by files.
    [(101, 2, 'cpu'), (101, 3, 'cpu'), (101, 3, 'gpu'), (1, 3, 'cpu'), (2, 3, 'gpu')],
)
def test_several_processes_give_the_metrics_of_one_to_the_last_digit(tmp_path, monkeypatch, images, processes, device):
    monkeypatch.chdir(tmp_path)
    expected = evaluate(0, images, device)
    assert set(expected) == {'accuracy/top1', 'accuracy/top5', 'single-label/cross_entropy'}
    assert in_processes(processes, tmp_path, evaluate, images, device)[0] == expected
