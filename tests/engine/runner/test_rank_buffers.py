from types import SimpleNamespace

import pytest
import torch
from processes import in_processes
from torch import nn

from mmpretrain_inception.engine.runner.rank_buffers import gather_buffers, restore_buffers


def build(value):
    model = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm2d(3))
    for number, buffer in enumerate(model.buffers()):
        buffer.fill_(value + number)
    return SimpleNamespace(model=model, hooks=[])


def save_and_restore(rank, values):
    saved = gather_buffers(build(values[rank]))
    if saved is None:
        return None
    tensors = [tensor for rank_saved in saved for module in rank_saved.values() for tensor in module.values()]
    runner = build(100)
    restore_buffers(runner, saved)
    return len(tensors), [buffer.tolist() for buffer in runner.model.buffers()]


def test_processes_get_their_own_statistics_back_from_one_tensor_for_each_type(tmp_path):
    results = in_processes(2, tmp_path, save_and_restore, (0, 10))

    for rank, (tensors, buffers) in enumerate(results):
        first = 10 * rank
        assert tensors == 4
        assert buffers == [[first] * 2, [first + 1] * 2, first + 2, [first + 3] * 3, [first + 4] * 3, first + 5]


def test_processes_that_agree_store_nothing(tmp_path):
    assert in_processes(2, tmp_path, save_and_restore, (5, 5)) == [None, None]


@pytest.mark.parametrize('model', [nn.BatchNorm2d(4), nn.Linear(2, 2)], ids=['larger', 'without'])
def test_statistics_of_another_model_are_left_alone(model):
    saved = {'model': {'torch.float32': torch.zeros(6), 'torch.int64': torch.zeros(1, dtype=torch.int64)}}
    before = [buffer.clone() for buffer in model.buffers()]

    restore_buffers(SimpleNamespace(model=model, hooks=[]), [saved])

    for buffer, expected in zip(model.buffers(), before):
        torch.testing.assert_close(buffer, expected, rtol=0, atol=0)
