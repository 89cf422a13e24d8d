import time

import pytest
import torch
from mmengine.dist import all_reduce
from processes import in_processes
from support import free_port
from torch import distributed

from mmpretrain_inception.engine.runner.launch import _join_on_cpu


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
