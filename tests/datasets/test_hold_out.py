import os
import shutil

import numpy as np
import pytest

from mmpretrain_inception.datasets import ImageFolder
from mmpretrain_inception.datasets.hold_out import class_members, hold_out
from mmpretrain_inception.errors import InputError, UsageError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def write(folder, sizes, seed=0):
    """Write files of random bytes, which are divided like images, into a folder for each class."""
    rng = np.random.default_rng(seed)
    for name, size in sizes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(size):
            (folder / name / f'{seed}-{index}.jpg').write_bytes(rng.bytes(64))
    return folder


def side(folder, split, **settings):
    """Return the content of the files of a side, by which they are known whatever they are called."""
    dataset = ImageFolder(str(folder), split=split, **settings)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return {open(info['img_path'], 'rb').read() for info in infos}, dataset


def contents(folder, split, **settings):
    return side(folder, split, **settings)[0]


def test_every_file_is_on_one_side_and_the_shares_are_within_chance(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=400, bee=600))
    train, val = contents(folder, 'train'), contents(folder, 'val')
    assert not train & val
    assert len(train | val) == 1000
    # Five deviations of a binomial distribution: sqrt(1000 * 0.2 * 0.8) = 12.6.
    assert abs(len(val) - 200) < 64
    assert abs(len(contents(folder, 'val', val_share=0.5)) - 500) < 80


def test_adding_a_hundred_files_moves_none_of_a_thousand(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=400, bee=600))
    before = contents(folder, 'val'), contents(folder, 'train')
    write(folder, dict(ant=50, bee=50), seed=1)
    after = contents(folder, 'val'), contents(folder, 'train')
    assert [len(new - old) for old, new in zip(before, after)] != [0, 0]
    assert all(old <= new for old, new in zip(before, after))


def test_renaming_all_files_and_the_folder_moves_none(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=300, bee=200))
    before = contents(folder, 'val')
    for name in ('ant', 'bee'):
        for path in list((folder / name).iterdir()):
            path.rename(path.with_name(f'renamed {path.stem}.PNG'))
        (folder / name).rename(folder / f'new {name}')
    folder = folder.rename(tmp_path / 'elsewhere')
    assert contents(folder, 'val') == before


def test_removing_files_moves_none(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=200, bee=200))
    before = contents(folder, 'val'), contents(folder, 'train')
    for path in sorted((folder / 'ant').iterdir())[::3]:
        path.unlink()
    after = contents(folder, 'val'), contents(folder, 'train')
    assert all(new < old for old, new in zip(before, after))


def test_copies_are_on_one_side(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=100, bee=100))
    for path in list((folder / 'ant').iterdir()):
        shutil.copy(path, path.with_name(f'copy of {path.name}'))
    train, val = side(folder, 'train')[1], side(folder, 'val')[1]
    assert len(train) + len(val) == 300
    assert not contents(folder, 'train') & contents(folder, 'val')


def test_a_larger_share_takes_more_and_gives_none_back(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=100, bee=100))
    sides = [contents(folder, 'val', val_share=share) for share in (0.1, 0.3, 0.6)]
    assert sides[0] < sides[1] < sides[2]


THRESHOLD = int(0.2 * 2**64)


@pytest.mark.parametrize(
    ('hashes', 'validation', 'moved'),
    [
        ([1, THRESHOLD + 1, 2**63], [True, False, False], ()),
        # None to validate: the smallest of those to train on.
        ([THRESHOLD + 9, THRESHOLD + 5, 2**63], [False, True, False], (1,)),
        # None to train on: the largest of those to validate.
        ([3, 7, 5], [True, False, True], (1,)),
        # With its copies.
        ([THRESHOLD + 5, 2**63, THRESHOLD + 5], [True, False, True], (0,)),
        # One image, or copies of one.
        ([THRESHOLD + 5, THRESHOLD + 5], [False, False], ()),
        ([THRESHOLD + 5], [False], ()),
        ([3], [False], (0,)),
        ([3, 3, 3], [False, False, False], (0,)),
    ],
    ids=['both', 'no-val', 'no-train', 'copies-move', 'only-copies', 'one', 'one-in-val', 'copies-in-val'],
)
def test_a_class_without_images_on_one_side_gets_the_nearest(hashes, validation, moved):
    # Beside a class that is on both sides.
    other = [2, 2**62 * 3]
    labels = np.array([0] * len(hashes) + [1, 1])
    sides = hold_out(np.array(hashes + other, np.uint64), class_members(labels), 0.2)
    assert sides.validation.tolist() == [*validation, True, False]
    assert sides.moved == moved


def test_copies_in_two_classes_move_together():
    hashes = np.array([THRESHOLD + 1, 2**63, THRESHOLD + 1, 2**62], np.uint64)
    sides = hold_out(hashes, class_members(np.array([0, 0, 1, 1])), 0.2)
    assert sides.validation.tolist() == [True, False, True, False]
    assert len(sides.moved) == 1


def test_what_was_moved_is_said_with_its_name(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=100, bee=3))
    _, dataset = side(folder, 'train', val_share=0.01)
    (text,) = dataset.remarks
    assert text.startswith('chosen to validate, because their classes had no other image for it: ')
    assert 'bee/0-' in text


def test_files_that_cannot_be_read_are_trained_on_where_broken_ones_are_named(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=20, bee=20))
    (folder / 'ant/gone.jpg').symlink_to(tmp_path / 'nowhere')
    (folder / 'ant/empty.jpg').touch()
    os.mkfifo(folder / 'ant/pipe.jpg')
    names = [os.path.basename(info['img_path']) for info in iter_infos(ImageFolder(str(folder), split='train'))]
    assert {'gone.jpg', 'empty.jpg', 'pipe.jpg'} <= set(names)


def iter_infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


@pytest.mark.parametrize('share', [0, 1, -0.1, 20])
def test_shares_that_leave_a_side_empty_are_refused(tmp_path, share):
    folder = write(tmp_path / 'images', dict(ant=2, bee=2))
    with pytest.raises(UsageError, match='--val-share: expected a share of the images between 0 and 1'):
        ImageFolder(str(folder), split='train', val_share=share)


def test_an_empty_side_is_refused(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=1, bee=1))
    assert len(ImageFolder(str(folder), split='train', val_share=1e-9)) == 2
    with pytest.raises(InputError, match='expected images to validate, got 2 images in all'):
        ImageFolder(str(folder), split='val', val_share=1e-9)


def test_other_sides_are_refused(tmp_path):
    with pytest.raises(InputError, match="split: expected 'train' or 'val', got 'dev'"):
        ImageFolder(str(tmp_path), split='dev')


def test_checkpoints_get_the_share(tmp_path):
    folder = write(tmp_path / 'images', dict(ant=9, bee=9))
    assert ImageFolder(str(folder), split='train', val_share=0.3).metainfo['val_share'] == 0.3
    assert 'val_share' not in ImageFolder(str(folder)).metainfo
