import pytest

from mmpretrain_inception.cli import run_tool
from mmpretrain_inception.errors import InputError, UsageError


@pytest.mark.parametrize(
    ('error', 'status', 'message'),
    [
        (UsageError('called wrongly'), 2, 'error: called wrongly\n'),
        (InputError('no such thing'), 1, 'error: no such thing\n'),
        (FileNotFoundError(2, 'No such file', 'data/x'), 1, 'error: data/x: a file or folder was expected here'),
        (OSError(28, 'No space left on device', 'log.json'), 1, 'error: log.json cannot be written: No space left'),
        (FileNotFoundError('x.py can not be found.'), 1, 'error: x.py can not be found.\n'),
    ],
)
def test_a_mistake_of_the_user_ends_with_its_status_and_message(capsys, error, status, message):
    def fail():
        raise error

    with pytest.raises(SystemExit) as ended:
        run_tool(fail)
    assert ended.value.code == status
    assert capsys.readouterr().err.startswith(message)


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_tool(lambda: 1 / 0)


def test_an_error_of_the_system_that_is_no_full_disk_keeps_its_traceback():
    def fail():
        raise OSError(5, 'Input/output error')

    with pytest.raises(OSError, match='Input/output'):
        run_tool(fail)


def test_a_run_that_a_signal_stopped_passes_its_status_on():
    def stop():
        raise SystemExit(143)

    with pytest.raises(SystemExit) as ended:
        run_tool(stop)
    assert ended.value.code == 143
