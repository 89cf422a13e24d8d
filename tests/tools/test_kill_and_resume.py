"""The short form of tests/stress/kill_harness.py, with narrow networks."""

import sys

import pytest
from support import REPOSITORY, run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]


def stress(*row):
    return pytest.param(*row, marks=pytest.mark.stress)


@pytest.mark.parametrize(
    ('options', 'killed'),
    [
        (('--moments',), '5 times SIGKILL, 3 of them in a save'),
        stress(('--kills', '4'), '4 times SIGKILL'),
        stress(('--kills', '2', '--ranks', '2'), '2 times SIGKILL'),
        stress(('--kills', '2', '--ranks', '2', '--signal', 'SIGTERM'), '2 times SIGTERM'),
    ],
    ids=['at moments of a save', 'at random', 'two processes', 'two processes, by SIGTERM'],
)
def test_killed_runs_end_as_one_that_was_not(options, killed, tmp_path):
    result = run(
        sys.executable, REPOSITORY / 'tests/stress/kill_harness.py', *options, '--folder', tmp_path, cwd=tmp_path
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert killed in result.stdout
    assert ' 0 that did not end as the unkilled one' in result.stdout
