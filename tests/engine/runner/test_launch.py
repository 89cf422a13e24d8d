import os
import time
from datetime import timedelta

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


@pytest.fixture
def two_gpus(monkeypatch):
    """Pretend that there are two GPUs, and note what is done to join a process group on them."""
    done = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'set_device', lambda number: done.append(('set_device', number)))

    def init_process_group(**arguments):
        done.append(('init_process_group', arguments))
        raise ConnectionError('as far as a test goes')

    monkeypatch.setattr(distributed, 'init_process_group', init_process_group)
    for name, value in dict(RANK='5', LOCAL_RANK='1', WORLD_SIZE='6', LOCAL_WORLD_SIZE='2').items():
        monkeypatch.setenv(name, value)
    # Given back afterwards.
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', '')
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG')
    return done


def start_up(tmp_path, **settings):
    path = tmp_path / 'c.py'
    settings = dict(model=dict(), work_dir=str(tmp_path / 'work'), experiment_name=tmp_path.name, **settings)
    path.write_text('\n'.join(f'{key} = {value!r}' for key, value in settings.items()))
    return build_runner(load_config(str(path)))


def test_a_process_takes_the_gpu_of_its_number_and_joins_by_nccl(two_gpus, tmp_path):
    environment = dict(dist_cfg=dict(backend='nccl', timeout=60))
    with pytest.raises(ConnectionError):
        start_up(tmp_path, launcher='pytorch', env_cfg=environment)
    assert two_gpus == [
        ('set_device', 1),
        ('init_process_group', dict(backend='nccl', timeout=timedelta(seconds=60))),
    ]


def test_more_processes_than_gpus_are_refused_before_they_join(two_gpus, tmp_path, monkeypatch):
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    with pytest.raises(UsageError, match='expected a GPU for each process of this machine, got 4 processes and 2 GPUs'):
        start_up(tmp_path, launcher='pytorch')
    assert two_gpus == []


@pytest.mark.parametrize(
    ('randomness', 'before', 'after'),
    [
        (dict(seed=0, deterministic=True), None, ':4096:8'),
        (dict(seed=0, deterministic=True), ':16:8', ':16:8'),
        (dict(seed=0, deterministic=False), None, None),
        (dict(seed=0), None, None),
    ],
)
def test_a_deterministic_run_chooses_the_memory_of_cublas(two_gpus, tmp_path, monkeypatch, randomness, before, after):
    if before:
        monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', before)
    with pytest.raises(ConnectionError):
        start_up(tmp_path, launcher='pytorch', randomness=randomness)
    assert os.environ.get('CUBLAS_WORKSPACE_CONFIG') == after
