import pytest
from support import workers_for

GB = 10**9


@pytest.mark.parametrize(
    ('cores', 'memory', 'workers'), [(2, 24 * GB, 2), (16, 64 * GB, 16), (16, 32 * GB, 8), (4, 6 * GB, 1), (1, GB, 1)]
)
def test_there_are_no_more_test_processes_than_memory_for_them(cores, memory, workers):
    assert workers_for(cores, memory) == workers


def test_a_tool_runs_warm_as_it_does_cold(tool, tmp_path):
    result = tool('get_flops.py', 'absent.py')
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith('error: absent.py')
    help_text = tool('get_flops.py', '--help')
    assert help_text.returncode == 0
    assert help_text.stdout.startswith('usage: get_flops.py')
