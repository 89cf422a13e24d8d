import json
import os
import signal
import time

import pytest
from processes import in_processes
from toy_run import Do, Killed, build

from mmpretrain_inception.engine.runner.work_dir_lock import lock_work_dir
from mmpretrain_inception.errors import InputError


def kill():
    raise Killed


def fork(function):
    """Run a function in a process of its own, which then sleeps, and return the process once it has run."""
    ours, theirs = os.pipe()
    process = os.fork()
    if not process:
        function()
        os.write(theirs, b'1')
        time.sleep(60)
        os._exit(0)
    assert os.read(ours, 1) == b'1'
    return process


def end(process):
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def test_a_second_run_is_refused_with_the_name_of_the_first_and_the_lock_dies_with_its_owner(tmp_path):
    held = lock_work_dir(tmp_path)
    owner = fork(held.__enter__)
    try:
        with pytest.raises(InputError, match=f'process {owner} of .* is training in this work directory'):
            build(tmp_path).train()
    finally:
        end(owner)
    assert (tmp_path / '.training.json').exists()
    build(tmp_path).train()
    assert not (tmp_path / '.training.json').exists()


def test_a_refused_run_changes_nothing_that_the_first_one_wrote(tmp_path):
    build(tmp_path).train()
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file() and path.suffix != '.json'}
    with lock_work_dir(tmp_path), pytest.raises(InputError, match='is training in this work directory'):
        build(tmp_path).train()
    assert {path: path.read_bytes() for path in before} == before
    assert not list(tmp_path.glob('before_*'))


@pytest.mark.parametrize('owner', ['', '{', '[]', '{"pid": 1}', '\x00'])
def test_an_owner_that_cannot_be_read_is_another_process(tmp_path, owner):
    with lock_work_dir(tmp_path):
        (tmp_path / '.training.json').write_text(owner)
        with pytest.raises(InputError, match='another process is training'), lock_work_dir(tmp_path):
            pass


def test_a_run_that_ends_by_an_error_frees_the_folder(tmp_path):
    for _ in range(2):
        with pytest.raises(Killed):
            build(tmp_path, hooks=[Do(3, kill)]).train()


def test_a_process_that_outlives_the_run_does_not_hold_its_folder(tmp_path):
    """As the workers of a data loader do for seconds after ``kill -9``."""

    def own_and_fork():
        lock_work_dir(tmp_path).__enter__()
        orphans.append(os.fork())
        if not orphans[0]:
            time.sleep(20)
            os._exit(0)

    orphans = []
    end(fork(own_and_fork))
    with lock_work_dir(tmp_path):
        owner = json.loads((tmp_path / '.training.json').read_text())
    assert owner['pid'] == os.getpid()


def test_validation_and_tests_do_not_need_the_folder(tmp_path):
    with lock_work_dir(tmp_path):
        assert set(build(tmp_path).val()) == {'toy/mean'}


@pytest.mark.parametrize('error', [OSError(37, 'No locks available'), NotImplementedError('no flock')])
def test_a_file_system_without_locks_does_not_keep_a_run_from_training(tmp_path, monkeypatch, warnings_logged, error):
    def fail(lock, **kwargs):
        raise error

    monkeypatch.setattr('filelock.FileLock.acquire', fail)
    with lock_work_dir(tmp_path):
        pass
    assert 'cannot be locked' in warnings_logged[0]


def test_a_full_disk_leaves_the_owner_unnamed(tmp_path, monkeypatch):
    def fail(path, text):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('pathlib.Path.write_text', fail)
    with lock_work_dir(tmp_path), pytest.raises(InputError, match='another process'), lock_work_dir(tmp_path):
        pass


def try_to_lock(rank, folder):
    with lock_work_dir(folder):
        return 'locked'


def test_all_processes_of_a_run_hear_that_it_is_refused(tmp_path):
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    assert in_processes(2, tmp_path, try_to_lock, work_dir) == ['locked', 'locked']
    (tmp_path / 'rendezvous').unlink(missing_ok=True)
    with lock_work_dir(work_dir):
        errors = in_processes(2, tmp_path, try_to_lock, work_dir)
    assert [type(error) for error in errors] == [InputError, InputError]
    assert f'process {os.getpid()} of' in str(errors[1])
