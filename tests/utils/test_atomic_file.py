import os
import resource
import signal

import pytest

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import atomic_write, remove_partial_files


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


def test_a_full_disk_leaves_the_older_file_and_nothing_else(tmp_path, file_size_limit):
    path = tmp_path / 'a.pth'
    path.write_bytes(b'old')
    file_size_limit(1000)
    with (
        pytest.raises(InputError, match=r'a\.pth cannot be written: File too large; the older file .* is as it was'),
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
