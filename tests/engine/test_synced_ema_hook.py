import multiprocessing
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.engine.hooks import EMAHook
from torch import distributed, nn

from mmpretrain_inception.engine import SyncedEMAHook


def averaged_mean(kind, rank, rendezvous, results):
    """Average a batch norm whose running mean is 1 more in each process, and hand back what an epoch leaves of it."""
    distributed.init_process_group('gloo', init_method=f'file://{rendezvous}', rank=rank, world_size=2)
    model = nn.BatchNorm1d(1, momentum=1.0)
    hook = kind(momentum=0.5, update_buffers=True)
    runner = SimpleNamespace(model=model, iter=0)
    hook.before_run(runner)
    for step in range(3):
        model.running_mean.fill_(step + rank)
        hook.after_train_iter(runner, step)
    hook.after_train_epoch(runner)
    results.put((rank, hook.ema_model.module.running_mean.item()))
    distributed.destroy_process_group()


@pytest.mark.parametrize(
    ('kind', 'expected'),
    # 0, then half of 1, then half of that and of 2; the other process is 1 ahead.
    [(SyncedEMAHook, [1.75, 1.75]), (EMAHook, [1.25, 2.25])],
    ids=['ours', "mmpretrain's"],
)
def test_the_average_holds_the_same_statistics_in_every_process(tmp_path, kind, expected):
    context = multiprocessing.get_context('fork')
    results = context.Queue()
    processes = [
        context.Process(target=averaged_mean, args=(kind, rank, tmp_path / 'rendezvous', results)) for rank in range(2)
    ]
    for process in processes:
        process.start()
    means = dict(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join()
    assert [means[0], means[1]] == expected


def test_one_process_needs_no_group():
    hook = SyncedEMAHook(update_buffers=True)
    model = nn.BatchNorm1d(1)
    hook.before_run(SimpleNamespace(model=model))
    hook.after_train_epoch(SimpleNamespace(model=model))
    assert torch.equal(hook.ema_model.module.running_var, torch.ones(1))
