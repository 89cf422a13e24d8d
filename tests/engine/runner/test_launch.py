import time

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import all_reduce
from processes import in_processes
from support import free_port
from torch import distributed, nn

from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.engine.runner.launch import _join_on_cpu, build_runner
from mmpretrain_inception.errors import InputError, UsageError


def wait_for_the_second(rank, port):
    distributed.destroy_process_group()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('MASTER_ADDR', '127.0.0.1')
        patch.setenv('MASTER_PORT', port)
        _join_on_cpu('pytorch', timeout=2)
    if rank == 0:
        all_reduce(torch.zeros(1))
    else:
        time.sleep(6)


def test_a_process_waits_for_a_silent_one_as_long_as_the_config_says(tmp_path):
    first, second = in_processes(2, tmp_path, wait_for_the_second, free_port())
    assert 'Timed out waiting 2000ms' in str(first)
    assert second is None


SYNCED = dict(type='SyncBN')


@pytest.mark.parametrize(
    ('settings', 'place'),
    [
        (dict(model=dict(backbone=dict(type='InceptionV3', norm_cfg=SYNCED))), r'model\.backbone\.norm_cfg'),
        (dict(model=dict(head=dict(norm_cfg=dict(type='mmengine.SyncBN')))), r'model\.head\.norm_cfg'),
        (dict(model=dict(backbone=dict(norm_cfg=dict(type=nn.SyncBatchNorm)))), r'model\.backbone\.norm_cfg'),
        (dict(model=dict(necks=[dict(), dict(norm_cfg=SYNCED)])), r'model\.necks\.1\.norm_cfg'),
        (dict(model=dict(), sync_bn='torch'), 'sync_bn'),
    ],
)
def test_batch_norm_that_only_gpus_synchronise_is_refused_on_cpus(monkeypatch, settings, place):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(InputError, match=rf"^{place}: synchronised batch norm needs GPUs, .* use type='BN'"):
        build_runner(Config(dict(settings, launcher='pytorch')))


@pytest.mark.parametrize(
    ('settings', 'options'),
    [
        (dict(model=dict(backbone=dict(norm_cfg=dict(type='BN')))), {}),
        (dict(model=dict(backbone=dict(norm_cfg=SYNCED))), dict(testing=True)),
        (dict(model=dict(), sync_bn=None), {}),
    ],
)
def test_other_normalisation_and_tests_are_not(monkeypatch, settings, options):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    # It gets as far as joining the processes, of which there are none.
    with pytest.raises(UsageError, match='expects to be started by torchrun'):
        build_runner(Config(dict(settings, launcher='pytorch')), **options)


@pytest.mark.parametrize(
    'runner_type', [None, 'Runner', 'mmengine.runner.Runner', 'mmpretrain_inception.ResumableRunner']
)
def test_a_test_run_leaves_the_config_of_the_training_run_alone(tmp_path, runner_type):
    member = dict(type='mmpretrain.ImageClassifier', backbone=dict(type='VGG', depth=11), head=dict(type='ClsHead'))
    # Visualizers of runs in the same second would share a name.
    named = dict(experiment_name=tmp_path.name, launcher='none', default_scope='mmpretrain')
    settings = dict(model=member, work_dir=str(tmp_path / 'work'), **named)
    lines = [f'{key} = {value!r}' for key, value in settings.items()]
    lines += [f'runner_type = {runner_type!r}'] if runner_type else []
    (tmp_path / 'c.py').write_text('\n'.join(lines))
    (tmp_path / 'work').mkdir()
    (tmp_path / 'work/c.py').write_text('what was trained')
    runner = build_runner(load_config(str(tmp_path / 'c.py')), testing=True)
    assert (tmp_path / 'work/c.py').read_text() == 'what was trained'
    dumped = load_config(f'{runner.log_dir}/c.py')
    assert dumped.model == member
    assert dumped.get('runner_type') == runner_type
