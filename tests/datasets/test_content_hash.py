import multiprocessing
import os
import time

import numpy as np
import pytest

from mmpretrain_inception.datasets import content_hash
from mmpretrain_inception.datasets.content_hash import UNREADABLE, content_hashes
from mmpretrain_inception.datasets.hash_cache import cache_file, load_hashes


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache'


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / 'files'
    folder.mkdir()
    for index in range(5):
        (folder / f'{index}.jpg').write_bytes(b'content %d' % index)
    return folder


@pytest.fixture
def read(monkeypatch):
    """Collect the names of the files whose contents are read, some time after they were written."""
    names = []
    original = content_hash._hash

    def hash_and_note(folder, name):
        names.append(name)
        return original(folder, name)

    monkeypatch.setattr(content_hash, '_hash', hash_and_note)
    monkeypatch.setattr(content_hash.time, 'time_ns', lambda: int((time.time() + 1000) * 1e9))
    return names


def names_in(folder):
    return sorted(os.listdir(folder))


def test_the_hash_is_that_of_the_content_alone(folder):
    (folder / 'copy.png').write_bytes(b'content 3')
    hashes = content_hashes(str(folder), ['3.jpg', 'copy.png', '4.jpg'])
    # As `b2sum -l 64` gives it.
    assert hashes.tolist() == [hashes[0], hashes[0], 0xAF6B876FA305C62B]
    assert hashes.dtype == np.uint64


def test_a_second_call_reads_no_file(folder, read):
    first = content_hashes(str(folder), names_in(folder))
    assert sorted(read) == names_in(folder)
    read.clear()
    assert content_hashes(str(folder), names_in(folder)).tolist() == first.tolist()
    assert read == []
    assert names_in(folder) == [f'{index}.jpg' for index in range(5)]


def replace(path):
    path.write_bytes(b'CONTENT 2')


def replace_with_its_time(path):
    """As `rsync --times` and `cp --preserve` do: the same size and the same time of the last change."""
    status = path.stat()
    other = path.with_name('other')
    other.write_bytes(b'CONTENT 2')
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize('change', [replace, replace_with_its_time])
def test_a_replaced_file_is_seen(folder, read, change):
    first = content_hashes(str(folder), names_in(folder))
    read.clear()
    time.sleep(0.02)
    change(folder / '2.jpg')
    second = content_hashes(str(folder), names_in(folder))
    assert read == ['2.jpg']
    assert (first != second).tolist() == [False, False, True, False, False]


def test_a_file_that_may_still_change_in_the_same_tick_of_the_clock_is_read_again(folder, read, monkeypatch):
    monkeypatch.setattr(content_hash.time, 'time_ns', lambda: int(time.time() * 1e9))
    for _ in range(2):
        content_hashes(str(folder), names_in(folder))
    assert sorted(read) == sorted(names_in(folder) * 2)


@pytest.mark.parametrize('damage', [lambda content: content[:-3], lambda content: b'x' + content[1:], lambda _: b''])
def test_a_damaged_cache_is_not_used(folder, read, damage):
    first = content_hashes(str(folder), names_in(folder))
    cached = cache_file(str(folder))
    cached.write_bytes(damage(cached.read_bytes()))
    read.clear()
    assert content_hashes(str(folder), names_in(folder)).tolist() == first.tolist()
    assert len(read) == 5


def test_where_nothing_can_be_kept_files_are_read_each_time(folder, read, cache):
    cache.write_text('a file in the place of the folder')
    for _ in range(2):
        content_hashes(str(folder), names_in(folder))
    assert len(read) == 10


def test_what_was_read_before_an_interruption_is_kept(folder, read, monkeypatch):
    monkeypatch.setattr(content_hash, '_CHUNK', 1)
    monkeypatch.setattr(content_hash, 'THREADS', 1)
    original = content_hash._hash

    def interrupt(folder, name):
        if name == '3.jpg':
            raise KeyboardInterrupt
        return original(folder, name)

    with monkeypatch.context() as patch:
        patch.setattr(content_hash, '_hash', interrupt)
        with pytest.raises(KeyboardInterrupt):
            content_hashes(str(folder), names_in(folder))
    read.clear()
    content_hashes(str(folder), names_in(folder))
    assert read == ['3.jpg', '4.jpg']


def test_of_processes_that_start_together_one_reads(folder, read):
    processes = [multiprocessing.get_context('fork').Process(target=read_and_count, args=[folder, n]) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    counts = [int((folder.parent / f'count {n}').read_text()) for n in range(3)]
    assert sorted(counts) == [0, 0, 5]


def read_and_count(folder, number):
    original = content_hash._hash
    names = []

    def hash_slowly(folder, name):
        time.sleep(0.1)
        names.append(name)
        return original(folder, name)

    content_hash._hash = hash_slowly
    content_hashes(str(folder), names_in(folder))
    (folder.parent / f'count {number}').write_text(str(len(names)))


def test_hashes_of_files_that_are_gone_do_not_pile_up(folder, read):
    for number in range(9):
        (folder / '0.jpg').rename(folder / 'x.jpg')
        (folder / 'x.jpg').rename(folder / '0.jpg')
        (folder / '1.jpg').write_bytes(b'content %d' % number * 2)
        for name in names_in(folder):
            os.utime(folder / name, ns=(number, number))
        content_hashes(str(folder), names_in(folder))
    assert len(load_hashes(cache_file(str(folder)))) <= 15


def test_files_without_content_are_unreadable(folder):
    (folder / 'empty.jpg').touch()
    hashes = content_hashes(str(folder), ['empty.jpg', 'absent.jpg', '1.jpg'])
    assert (hashes == UNREADABLE).tolist() == [True, True, False]
