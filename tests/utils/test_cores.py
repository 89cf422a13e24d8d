import os

import pytest

from mmpretrain_inception.utils import cores


@pytest.mark.skipif(not hasattr(os, 'sched_setaffinity'), reason='no CPU affinity on this system')
def test_cores_are_those_that_the_process_is_bound_to():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert cores.available_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert cores.available_cores() <= len(before)


def test_a_limit_from_the_environment_counts(monkeypatch):
    monkeypatch.setenv('LOKY_MAX_CPU_COUNT', '1')
    assert cores.available_cores() == 1


@pytest.mark.parametrize(('processes', 'expected'), [(None, 6), ('2', 3), ('4', 1), ('7', 0)])
def test_processes_of_a_run_share_the_cores(monkeypatch, processes, expected):
    monkeypatch.setattr(cores, 'cpu_count', lambda: 6)
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    if processes:
        monkeypatch.setenv('LOCAL_WORLD_SIZE', processes)
    assert cores.cores_per_process() == expected
