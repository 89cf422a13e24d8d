"""The short form of tests/stress/kill_harness.py, with whole networks."""

import sys

import pytest
from support import REPOSITORY, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    'options',
    [
        ('--moments',),
        ('--kills', '4'),
        ('--kills', '2', '--ranks', '2'),
        ('--kills', '2', '--ranks', '2', '--signal', 'SIGTERM'),
    ],
    ids=' '.join,
)
def test_killed_runs_end_as_one_that_was_not(options, tmp_path):
    result = run(
        sys.executable, REPOSITORY / 'tests/stress/kill_harness.py', *options, '--folder', tmp_path, cwd=tmp_path
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert ' 0 that did not end as the unkilled one' in result.stdout
