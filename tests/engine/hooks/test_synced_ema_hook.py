import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmpretrain_inception.engine import SyncedEMAHook
from mmpretrain_inception.engine.hooks import synced_ema_hook

SCRIPT = Path(__file__).with_name('average_in_two_processes.py')


@pytest.mark.slow
@pytest.mark.parametrize(
    ('hook', 'expected'),
    # 0, then half of 1, then half of that and of 2; the other process is 1 ahead.
    [
        (('mmpretrain_inception.engine', 'SyncedEMAHook'), [1.75, 1.75]),
        (('mmpretrain.engine.hooks', 'EMAHook'), [1.25, 2.25]),
    ],
    ids=['ours', "mmpretrain's"],
)
def test_the_average_holds_the_same_statistics_in_every_process(tmp_path, hook, expected):
    processes = [
        subprocess.Popen(
            [sys.executable, SCRIPT, *hook, str(rank), str(tmp_path / 'rendezvous')], stdout=subprocess.PIPE, text=True
        )
        for rank in range(2)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [float(output.split('mean ')[1]) for output in outputs] == expected


def test_one_process_needs_no_group():
    hook = SyncedEMAHook(update_buffers=True)
    model = nn.BatchNorm1d(1)
    hook.before_run(SimpleNamespace(model=model))
    hook.after_train_epoch(SimpleNamespace(model=model))
    assert torch.equal(hook.ema_model.module.running_var, torch.ones(1))


@pytest.mark.parametrize('faulty', [True, False])
def test_statistics_are_averaged_here_only_if_mmengine_leaves_them_apart(monkeypatch, faulty):
    averaged = []
    monkeypatch.setattr(synced_ema_hook, 'leaves_averaged_buffers_apart', lambda: faulty)
    monkeypatch.setattr(synced_ema_hook, 'all_reduce_params', lambda buffers, op: averaged.extend(buffers))
    hook = SyncedEMAHook(update_buffers=True)
    runner = SimpleNamespace(model=nn.BatchNorm1d(1))
    hook.before_run(runner)
    hook.after_train_epoch(runner)
    # The mean, the variance and the number of batches, and how often the average was updated.
    assert len(averaged) == (len(list(hook.ema_model.module.buffers())) if faulty else 0)
