import os
import pty
import subprocess
import sys

import pytest
import torch
from support import REPOSITORY
from torch import nn
from torch.utils.data import DataLoader

from mmpretrain_inception.cli import run_tool
from mmpretrain_inception.errors import InputError, UsageError


@pytest.mark.parametrize(
    ('error', 'status', 'message'),
    [
        (UsageError('called wrongly'), 2, 'error: called wrongly\n'),
        (InputError('no such thing'), 1, 'error: no such thing\n'),
        (FileNotFoundError(2, 'No such file', 'data/x'), 1, 'error: data/x: no such file or folder'),
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


def run_killed_worker():
    class Deadly:
        def __len__(self):
            return 8

        def __getitem__(self, index):
            os.kill(os.getpid(), 9)

    next(iter(DataLoader(Deadly(), num_workers=1)))


@pytest.mark.parametrize(
    ('fail', 'message'),
    [
        (run_killed_worker, 'DataLoader worker (pid'),
        (lambda: nn.BatchNorm2d(3)(torch.zeros(1, 3, 1, 1)), 'input size torch.Size([1, 3, 1, 1])'),
    ],
    ids=['a worker that is killed', 'a batch of one image'],
)
def test_an_error_of_torch_that_the_user_can_mend_comes_with_advice(capsys, fail, message):
    with pytest.raises(SystemExit) as ended:
        run_tool(fail)
    lines = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert message in lines[0]
    assert len(lines) == 2
    assert 'batch' in lines[1]


@pytest.mark.parametrize('kind', [RuntimeError, ValueError])
def test_other_errors_of_these_types_keep_their_traceback(kind):
    def fail():
        raise kind('a bug')

    with pytest.raises(kind, match='a bug'):
        run_tool(fail)


def talk_to(folder, out, err):
    """Start ``talker.py`` in a folder with these descriptors, None for a closed one."""
    closed = ''.join(f' {number}>&-' for number, descriptor in ((1, out), (2, err)) if descriptor is None)
    script = f'exec "$0" "$1"{closed}'
    command = ['bash', '-c', script, sys.executable, str(REPOSITORY / 'tests/talker.py')]
    process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err)
    for descriptor in {out, err} - {None}:
        os.close(descriptor)
    return process


def status_of(process):
    return process.wait(60)


def read_all(descriptor):
    with os.fdopen(descriptor) as file:
        return file.read()


def lines_logged(folder):
    return (folder / 'talker.log').read_text().count('xxx\n')


@pytest.mark.parametrize(
    'characters', [pytest.param(0, id='| true', marks=pytest.mark.stress), pytest.param(1, id='| head -1')]
)
def test_a_tool_whose_output_is_closed_goes_on_quietly(tmp_path, characters):
    (ours, theirs), (errors, theirs_errors) = os.pipe(), os.pipe()
    process = talk_to(tmp_path, theirs, theirs_errors)
    os.read(ours, characters)
    os.close(ours)
    assert read_all(errors) == 'error: the end\n'
    assert status_of(process) == 1
    assert lines_logged(tmp_path) == 300
    assert 'stdout was closed; only the log file goes on' in (tmp_path / 'talker.log').read_text()


def test_a_tool_both_of_whose_streams_are_closed_goes_on(tmp_path):
    """``2>&1 | head -1``."""
    ours, theirs = os.pipe()
    process = talk_to(tmp_path, theirs, theirs)
    os.close(ours)
    assert (status_of(process), lines_logged(tmp_path)) == (1, 300)


@pytest.mark.parametrize(
    'closed', ['out and err', *(pytest.param(stream, marks=pytest.mark.stress) for stream in ('out', 'err'))]
)
def test_a_tool_that_starts_with_closed_streams_goes_on(tmp_path, closed):
    """``>&-`` and ``2>&-``."""
    ours, theirs = os.pipe()
    process = talk_to(tmp_path, None if 'out' in closed else theirs, None if 'err' in closed else theirs)
    if closed == 'out and err':
        os.close(theirs)
    assert 'Traceback' not in read_all(ours)
    assert (status_of(process), lines_logged(tmp_path)) == (1, 300)


def test_a_tool_whose_terminal_is_gone_goes_on(tmp_path):
    ours, theirs = pty.openpty()
    process = talk_to(tmp_path, theirs, theirs)
    os.read(ours, 1)
    os.close(ours)
    assert (status_of(process), lines_logged(tmp_path)) == (1, 300)


def test_names_that_are_not_utf_8_are_printed_as_escapes(monkeypatch, tmp_path):
    with (tmp_path / 'out').open('w', encoding='utf-8') as stream:
        monkeypatch.setattr(sys, 'stdout', stream)
        with pytest.raises(SystemExit):
            run_tool(lambda: print(os.fsdecode(b'\xff.jpg')))
    assert (tmp_path / 'out').read_text() == '\\udcff.jpg\n'
