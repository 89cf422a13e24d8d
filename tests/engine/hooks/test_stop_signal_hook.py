import os
import signal
import subprocess
import time
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from torch import distributed
from toy_run import Do, build, state

from mmpretrain_inception.engine import SafeCheckpointHook, StopSignalHook
from mmpretrain_inception.engine.hooks import stop_signal_hook
from mmpretrain_inception.engine.hooks.stop_signal_hook import _outlive_signals


@pytest.fixture(autouse=True)
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    # The tests may run in the background or under nohup.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield {**before, signal.SIGHUP: signal.SIG_DFL}
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number):
    return lambda: os.kill(os.getpid(), number)


@pytest.mark.parametrize(('number', 'status'), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_saves_after_the_iteration_and_the_run_goes_on_exactly(tmp_path, number, status):
    whole = build(tmp_path / 'whole', hooks=[StopSignalHook()])
    whole.train()
    with pytest.raises(SystemExit) as stop:
        build(tmp_path / 'parts', hooks=[Do(7, send(number)), StopSignalHook()]).train()
    assert stop.value.code == status
    assert (tmp_path / 'parts/last_checkpoint').read_text().endswith('iter_7.pth')
    resumed = build(tmp_path / 'parts', resume=True, hooks=[StopSignalHook()])
    resumed.train()
    assert state(resumed) == state(whole)


def test_a_signal_waits_for_the_step_that_uses_the_gradients(tmp_path):
    hooks = [Do(6, send(signal.SIGTERM)), StopSignalHook()]
    with pytest.raises(SystemExit):
        build(tmp_path, accumulate=4, hooks=hooks).train()
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_8.pth')


def test_a_signal_in_validation_waits_for_its_end_and_the_run_goes_on_exactly(tmp_path):
    class SendInValidation(Hook):
        def before_val_iter(self, runner, batch_idx, data_batch=None):
            if runner.epoch == 2 and batch_idx == 1:
                os.kill(os.getpid(), signal.SIGTERM)

    whole = build(tmp_path / 'whole')
    whole.train()
    with pytest.raises(SystemExit):
        build(tmp_path / 'parts', hooks=[SendInValidation(), StopSignalHook()]).train()
    saved = torch.load((tmp_path / 'parts/last_checkpoint').read_text(), weights_only=True)
    assert saved['meta']['iter'] == 10
    resumed = build(tmp_path / 'parts', resume=True)
    resumed.train()
    assert state(resumed) == state(whole)


def test_signals_are_given_back_after_training(tmp_path, handlers):
    build(tmp_path, hooks=[StopSignalHook()]).train()
    assert {number: signal.getsignal(number) for number in handlers} == handlers


def test_a_second_signal_ends_the_process_at_once_and_an_echo_of_the_first_does_not(monkeypatch):
    ended, now = [], [100.0]
    monkeypatch.setattr(os, '_exit', ended.append)
    monkeypatch.setattr(time, 'monotonic', lambda: now[0])
    hook = StopSignalHook()
    hook._receive(signal.SIGINT, None)
    now[0] += 0.5
    hook._receive(signal.SIGTERM, None)
    assert ended == []
    now[0] += 2
    hook._receive(signal.SIGINT, None)
    assert ended == [130]


def _wait(ready):
    _outlive_signals(None, 0)
    ready.set()
    time.sleep(60)


@pytest.mark.skipif(not hasattr(signal, 'sigwaitinfo'), reason='the system has no sigwaitinfo')
def test_a_worker_ends_by_the_main_process_and_by_no_other():
    context = get_context('fork')
    ready = context.Event()
    worker = context.Process(target=_wait, args=(ready,))
    worker.start()
    assert ready.wait(30)
    for name in ('TERM', 'INT', 'HUP', 'TERM'):
        subprocess.run(['kill', f'-{name}', str(worker.pid)], check=True)
    worker.join(0.5)
    assert worker.is_alive()
    worker.terminate()
    worker.join(30)
    assert worker.exitcode == 0


def test_a_run_under_nohup_outlives_its_terminal(tmp_path):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    runner = build(tmp_path, hooks=[Do(7, send(signal.SIGHUP)), StopSignalHook()])
    runner.train()
    assert runner.iter == 15
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_without_a_hook_for_checkpoints_the_log_promises_none(tmp_path):
    runner = build(tmp_path, hooks=[Do(7, send(signal.SIGTERM)), StopSignalHook()])
    runner._hooks = [hook for hook in runner.hooks if not isinstance(hook, SafeCheckpointHook)]
    with pytest.raises(SystemExit):
        runner.train()
    assert not list(tmp_path.glob('*.pth'))
    (log,) = tmp_path.rglob('*.log')
    assert 'SIGTERM: stopping after 7 iterations without a checkpoint' in log.read_text()


def test_processes_on_gpus_agree_on_the_cpu(monkeypatch):
    groups, agreed = [], []
    monkeypatch.setattr(stop_signal_hook, 'get_world_size', lambda: 2)
    monkeypatch.setattr(distributed, 'new_group', lambda **kind: groups.append(kind) or 'group')
    monkeypatch.setattr(distributed, 'all_reduce', lambda value, op, group: agreed.append((value.device.type, group)))
    hook, loader = StopSignalHook(), SimpleNamespace(worker_init_fn=None)
    hook.before_train(SimpleNamespace(train_dataloader=loader, val_loop=None))
    hook._agree()
    hook.after_train(None)
    assert groups == [dict(backend='gloo')]
    assert agreed == [('cpu', 'group')]
