import time

import pytest
import torch
from mmengine.config import Config
from mmengine.dist import all_reduce
from processes import in_processes
from support import free_port
from torch import distributed, nn

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
