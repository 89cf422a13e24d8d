import os
import sys
import tempfile

import narrow as narrow_networks
import pytest
from support import run, workers_for

from mmpretrain_inception import InceptionV3

GB = 10**9


@pytest.mark.parametrize(
    ('cores', 'memory', 'workers'), [(2, 24 * GB, 2), (16, 64 * GB, 16), (16, 32 * GB, 12), (4, 6 * GB, 2), (1, GB, 1)]
)
def test_there_are_no_more_test_processes_than_memory_for_them(cores, memory, workers):
    assert workers_for(cores, memory) == workers


def test_a_tool_runs_warm_as_it_does_cold(tool):
    result = tool('get_flops.py', 'absent.py')
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith('error: absent.py')
    help_text = tool('get_flops.py', '--help')
    assert help_text.returncode == 0
    assert help_text.stdout.startswith('usage: get_flops.py')


@pytest.mark.parametrize(
    ('program', 'status', 'out', 'err'),
    [
        ('import atexit; atexit.register(print, "late"); print("soon")', 0, 'soon\nlate\n', ''),
        ('raise SystemExit("no")', 1, '', 'no\n'),
        ('import os, signal; os.kill(os.getpid(), signal.SIGKILL)', -9, '', ''),
    ],
    ids=['atexit', 'a message', 'killed'],
)
def test_a_warm_program_ends_as_a_cold_one(tool, tmp_path, program, status, out, err):
    (tmp_path / 'program.py').write_text(program)
    result = tool(tmp_path / 'program.py')
    assert (result.returncode, result.stdout, result.stderr) == (status, out, err)


def test_an_error_of_a_warm_program_has_a_traceback(tool, tmp_path):
    (tmp_path / 'program.py').write_text('1 / 0')
    result = tool(tmp_path / 'program.py')
    assert result.returncode == 1
    assert result.stderr.strip().endswith('ZeroDivisionError: division by zero')


SIZE = """
import tempfile
from mmpretrain_inception import InceptionHead, InceptionV3
print(tempfile.gettempdir(), InceptionV3(out_indices=2).Mixed_5d.branch1x1.conv.weight.shape[0])
"""


@pytest.mark.parametrize('cold', [False, True], ids=['warm', 'cold'])
def test_networks_are_narrow_in_programs_too_and_temporary_files_go_with_the_session(tool, tmp_path, cold):
    (tmp_path / 'program.py').write_text(SIZE)
    wide = sum(parameter.numel() for parameter in InceptionV3().parameters())
    narrow_networks.start()
    try:
        thin = InceptionV3()
        result = run(sys.executable, 'program.py', cwd=tmp_path) if cold else tool(tmp_path / 'program.py')
    finally:
        narrow_networks.stop()
    assert result.stdout.split() == [tempfile.gettempdir(), '8'], result.stderr
    assert tempfile.gettempdir().startswith(os.environ['PYTEST_DEBUG_TEMPROOT'])
    assert tempfile.gettempdir() != os.environ['PYTEST_DEBUG_TEMPROOT']
    assert thin.state_dict().keys() == InceptionV3().state_dict().keys()
    assert sum(parameter.numel() for parameter in thin.parameters()) < wide / 50
