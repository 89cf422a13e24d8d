import os
import resource
import signal
import time

import pytest

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_write, partial_path, remove_partial_files


@pytest.fixture
def file_size_limit():
    """Set the most bytes that a file may have, as a quota does."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_file_replaces_the_older_one_at_the_end(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'old')
    with atomic_write(path) as file:
        file.write(b'new')
        file.flush()
        assert path.read_bytes() == b'old'
    assert path.read_bytes() == b'new'
    assert os.listdir(tmp_path) == ['a.pth']


def test_an_error_within_leaves_the_older_file_and_nothing_else(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'old')
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write(bytes(1 // 0))
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['a.pth']


def test_a_file_in_the_place_of_the_folder_is_an_error_of_one_line(tmp_path):
    (tmp_path / 'file').touch()
    with (
        pytest.raises(InputError, match=r'file/a\.pth cannot be written: Not a directory$'),
        atomic_write(tmp_path / 'file/a.pth'),
    ):
        pass


def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path, file_size_limit):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'old')
    file_size_limit(1000)
    with (
        pytest.raises(InputError, match=r'a\.pth cannot be written: File too large; the older file is unchanged'),
        atomic_write(path) as file,
    ):
        file.write(bytes(100_000))
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['a.pth']


def test_a_kill_leaves_no_file_that_looks_like_one_and_the_rest_can_be_removed(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'old')
    process = os.fork()
    if not process:
        with atomic_write(path) as file:
            file.write(b'new')
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(process, 0)
    assert path.read_bytes() == b'old'
    assert len(os.listdir(tmp_path)) == 2
    assert list(tmp_path.glob('*.pth')) == [path]
    remove_partial_files(tmp_path)
    assert os.listdir(tmp_path) == ['a.pth']


def test_the_unfinished_file_of_a_living_process_stays(tmp_path):
    """A second run in the same folder must not take the first one's half-written checkpoint away."""
    path = tmp_path / 'a.pth'
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        with atomic_write(path) as file:
            file.write(b'new')
            file.flush()
            os.read(reader, 1)
        os._exit(0)
    while not list(tmp_path.glob('.*.part')):
        time.sleep(0.01)
    os.utime(next(tmp_path.glob('.*.part')), (0, 0))
    remove_partial_files(tmp_path)
    os.write(writer, b'x')
    assert os.waitpid(process, 0)[1] == 0
    assert path.read_bytes() == b'new'


@pytest.mark.parametrize(
    ('name', 'hours', 'removed'),
    [
        ('.a.pth.0123abcd-1.part', 0, False),  # another machine, where process 1 may live
        ('.a.pth.0123abcd-999999999.part', 0, False),
        ('.a.pth.0123abcd-1.part', 25, True),
        ('.a.pth.{machine}-999999999.part', 0, True),
        ('.a.pth.{machine}-99999999999999999999.part', 0, True),
        ('.a.pth.{machine}-1.part', 25, False),
        ('.a.pth.1234.part', 0, False),  # written before names told the machine
        ('.a.pth.1234.part', 25, True),
        ('.video.mp4.part', 25, False),  # of other programs
        ('a.pth.{machine}-999999999.part', 25, False),
        ('epoch_1.pth', 25, False),
    ],
)
def test_only_what_dead_processes_left_is_removed(tmp_path, name, hours, removed):
    machine = partial_path(tmp_path / 'x').name.split('.')[-2].partition('-')[0]
    path = tmp_path / name.format(machine=machine)
    path.touch()
    os.utime(path, (time.time() - hours * 3600,) * 2)
    remove_partial_files(tmp_path)
    assert path.exists() != removed


@pytest.mark.parametrize('name', ['a' * 255, 'ä' * 127, '\udcff.pth'])
def test_any_name_that_the_disk_takes_can_be_written(tmp_path, name):
    with atomic_write(tmp_path / name) as file:
        file.write(b'new')
    assert os.listdir(tmp_path) == [name]
