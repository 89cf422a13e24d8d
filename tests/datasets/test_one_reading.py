from types import SimpleNamespace

import pytest

from mmpretrain_inception.datasets import ImageFolder, folder_scan, one_reading
from mmpretrain_inception.datasets.one_reading import once, reading_once, take_remarks


@pytest.fixture
def folder(tmp_path):
    for name in ('ant', 'bee'):
        (tmp_path / name).mkdir()
    (tmp_path / 'ant/1.jpg').touch()
    return str(tmp_path)


@pytest.fixture
def scans(monkeypatch):
    read, original = [], folder_scan.find_images
    monkeypatch.setattr(
        folder_scan, 'find_images', lambda *names, **settings: read.append(names[1]) or original(*names, **settings)
    )
    return read


def test_a_folder_is_read_once_in_a_block_and_again_in_the_next(folder, scans, tmp_path):
    with reading_once():
        with reading_once():
            ImageFolder(folder)
        (tmp_path / 'ant/2.jpg').touch()
        assert len(ImageFolder(folder)) == 1
    assert scans == ['ant', 'bee']
    assert len(ImageFolder(folder)) == 2
    with reading_once():
        assert len(ImageFolder(folder)) == 2


def test_what_a_plan_says_the_dataset_does_not_say_again(folder, monkeypatch):
    said = []
    logger = SimpleNamespace(get_current_instance=lambda: SimpleNamespace(warning=said.append))
    monkeypatch.setattr(one_reading, 'MMLogger', logger)
    with reading_once():
        assert take_remarks([f'{folder}: no images of bee', 'x']) == [f'{folder}: no images of bee', 'x']
        assert take_remarks(['x']) == []
        ImageFolder(folder)
        assert said == []
    ImageFolder(folder)
    assert said == [f'{folder}: no images of bee']


def test_what_fails_is_tried_again():
    def fail():
        raise OSError('unplugged')

    with reading_once():
        with pytest.raises(OSError, match='unplugged'):
            once('key', fail)
        assert once('key', lambda: 1) == once('key', fail) == 1
