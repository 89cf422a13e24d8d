import logging

import pytest
from mmengine.logging import MMLogger
from mmpretrain.registry import DATASETS

from mmpretrain_inception.datasets import ImageNetSubset
from mmpretrain_inception.errors import InputError

NAMES = [f'ILSVRC2012_val_{number:08d}.JPEG' for number in range(1, 7)]


@pytest.fixture
def imagenet(tmp_path):
    """Six validation images with labels 0 to 5, in a list."""
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'meta/val.txt').write_text(''.join(f'{name} {label}\n' for label, name in enumerate(NAMES)))
    return tmp_path


def subset_of(folder, *lines, **options):
    (folder / 'excluded.txt').write_text('\n'.join(lines))
    return ImageNetSubset(excluded=str(folder / 'excluded.txt'), data_root=str(folder), split='val', **options)


def labels_of(dataset):
    return [dataset.get_data_info(index)['gt_label'] for index in range(len(dataset))]


@pytest.mark.parametrize(
    'lines',
    [
        ('2', '5', ''),
        ('5', ' 2', '2'),
        ('ILSVRC2012_val_00000002.JPEG', 'ILSVRC2012_val_00000005'),
        ('val/n02123045/ILSVRC2012_val_00000002.JPEG', '5'),
    ],
    ids=['numbers', 'out of order and twice', 'names', 'folders'],
)
def test_listed_images_are_left_out(imagenet, lines):
    assert labels_of(subset_of(imagenet, *lines)) == [0, 2, 3, 5]


def test_indices_count_what_is_left(imagenet):
    assert labels_of(subset_of(imagenet, '2', '5', indices=3)) == [0, 2, 3]


def test_images_in_folders_are_left_out_too(imagenet, tmp_path):
    (imagenet / 'meta/val.txt').unlink()
    for label, name in enumerate(NAMES):
        (tmp_path / f'val/n{label % 2}').mkdir(parents=True, exist_ok=True)
        (tmp_path / f'val/n{label % 2}/{name}').touch()
    dataset = subset_of(imagenet, '1', '4', classes=['n0', 'n1'])
    assert labels_of(dataset) == [0, 0, 1, 1]


def test_without_a_list_it_is_imagenet(imagenet):
    dataset = DATASETS.build(dict(type='mmpretrain_inception.ImageNetSubset', data_root=str(imagenet), split='val'))
    assert labels_of(dataset) == [0, 1, 2, 3, 4, 5]
    assert len(dataset.CLASSES) == 1000


def test_one_line_says_how_many_were_left_out(imagenet):
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    subset_of(imagenet, '2', '5')
    logger.removeHandler(handler)
    assert messages == [f'{imagenet}/excluded.txt: 2 of 6 images left out']


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        (('2', '7'), r'excluded\.txt lists ILSVRC2012_val_00000007, which .*val/? does not hold'),
        (('8', '9', '10', '11', '12'), r'00000008, ILSVRC2012_val_00000009, ILSVRC2012_val_00000010 and 2 more'),
        (('', ' '), r'excluded\.txt is empty: expected one image a line, as a number or a file name'),
    ],
)
def test_lists_that_cannot_be_used(imagenet, lines, message):
    with pytest.raises(InputError, match=message):
        subset_of(imagenet, *lines)


@pytest.mark.parametrize('name', ['absent.txt', 'meta', 'binary.txt'])
def test_files_that_cannot_be_read(imagenet, name):
    (imagenet / 'binary.txt').write_bytes(b'\xff\xfe\x00\x81')
    with pytest.raises(InputError, match=f'{name} cannot be read: '):
        ImageNetSubset(excluded=str(imagenet / name), data_root=str(imagenet), split='val')


@pytest.mark.parametrize(
    'content',
    [
        b'\xef\xbb\xbf2\r\n5\r\n',
        b'\xef\xbb\xbfILSVRC2012_val_00000002.JPEG\r\n\r\n 5\t\r\n',
        b'2  \n\t5',
    ],
)
def test_lists_of_every_editor_are_read(imagenet, content):
    (imagenet / 'excluded.txt').write_bytes(content)
    dataset = ImageNetSubset(excluded=str(imagenet / 'excluded.txt'), data_root=str(imagenet), split='val')
    assert labels_of(dataset) == [0, 2, 3, 5]


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'2\ncaf\xe9.JPEG\n', r'lists caf\\xe9, which .* does not hold'),
        (b'9' * 5000, r'lists 9999'),
        (b'2\x005', r'line 1: expected text, got a zero byte'),
        (b'2\r5\r', r'line 1: expected text, got a carriage return within the line'),
    ],
)
def test_lists_that_are_no_text_are_refused(imagenet, content, message):
    (imagenet / 'excluded.txt').write_bytes(content)
    with pytest.raises(InputError, match=message):
        ImageNetSubset(excluded=str(imagenet / 'excluded.txt'), data_root=str(imagenet), split='val')
