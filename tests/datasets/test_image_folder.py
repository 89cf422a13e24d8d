import re

import pytest

from mmpretrain_inception.datasets import ImageFolder
from mmpretrain_inception.errors import InputError


def labels_of(dataset):
    return [dataset.get_data_info(index)['gt_label'] for index in range(len(dataset))]


def test_labels_are_positions_in_the_sorted_folders(image_folder):
    dataset = ImageFolder(str(image_folder), 'train')
    assert dataset.metainfo['classes'] == ('ant', 'bee', 'cat')
    assert labels_of(dataset) == [0] * 8 + [1] * 8 + [2] * 8


def test_labels_follow_the_given_classes_where_one_is_missing(image_folder, tmp_path):
    (image_folder / 'val/bee').rename(tmp_path / 'bee')
    dataset = ImageFolder(str(image_folder), 'val', classes=['cat', 'bee', 'ant'])
    assert dataset.metainfo['classes'] == ('cat', 'bee', 'ant')
    assert labels_of(dataset) == [2] * 4 + [0] * 4


@pytest.mark.parametrize(
    ('prefix', 'classes', 'message'),
    [
        ('absent', None, 'absent: expected a folder with one folder of images for each class, found none'),
        ('val/ant', None, 'val/ant: expected one folder of images for each class, but there is no folder in it'),
        ('val', ['ant', 'cat'], 'val: the model knows the classes ant, cat, but the folder also holds bee'),
    ],
)
def test_folders_that_cannot_be_used(image_folder, prefix, classes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        ImageFolder(str(image_folder), prefix, classes=classes)


def test_a_folder_without_images(tmp_path):
    (tmp_path / 'ant').mkdir()
    (tmp_path / 'ant/readme.txt').write_text('no image')
    with pytest.raises(InputError, match=re.escape(f'{tmp_path}: expected images (.jpg .png .gif')):
        ImageFolder(str(tmp_path))
