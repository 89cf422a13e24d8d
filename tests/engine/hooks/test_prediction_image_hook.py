import os
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from mmpretrain.visualization import UniversalVisualizer

from mmpretrain_inception.engine import PredictionImageHook
from mmpretrain_inception.engine.hooks.prediction_image_hook import common_root, name_below


@pytest.fixture
def written(tmp_path):
    """Show images by their paths and return the files that were written, with the brightness of each."""

    def show(paths, dataset, interval=1):
        UniversalVisualizer.get_instance('shown', vis_backends=[])
        hook = PredictionImageHook(enable=True, interval=interval, out_dir=str(tmp_path / 'out'))
        hook.before_test_epoch(SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset)))
        samples = [DataSample(img_path=str(path)).set_pred_label(0).set_pred_score(torch.ones(2)) for path in paths]
        inputs = [torch.full((3, 40, 40), number, dtype=torch.uint8) for number in range(len(paths))]
        for batch, start in enumerate(range(0, len(paths), 2)):
            hook.after_test_iter(None, batch, dict(inputs=inputs[start : start + 2]), samples[start : start + 2])
        files = [os.path.join(folder, name) for folder, _, names in os.walk(tmp_path / 'out') for name in names]
        corners = [int(cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)[-1, -1, 0]) for file in files]
        return {os.path.relpath(file, tmp_path / 'out'): corner for file, corner in zip(files, corners)}

    return show


def folder_of(root):
    return SimpleNamespace(img_prefix=str(root), metainfo=dict(classes=('a', 'b')))


def joined(*datasets):
    return SimpleNamespace(datasets=list(datasets))


def test_equal_names_in_several_classes_make_several_files(written, tmp_path):
    names = ['ant/0.jpg', 'bee/0.jpg', 'cat/0.jpg', 'cat/1.jpg']
    shown = written([tmp_path / 'val' / name for name in names], folder_of(tmp_path / 'val'))
    assert shown == {f'{name}_0.png': number for number, name in enumerate(names)}


@pytest.mark.parametrize(
    'names',
    [
        ['ant/0.jpg', 'ant/0.png', 'ant/0.JPG'],
        ['a/b.jpg', 'a_b.jpg', 'a/b_b.jpg'],
        ['a/' + 250 * 'x' + '1.jpg', 'a/' + 250 * 'x' + '2.jpg'],
        ['/'.join(40 * [100 * 'd']) + '/0.jpg', '/'.join(40 * [100 * 'd']) + 'e/0.jpg'],
        [os.fsdecode(b'\xff/0.jpg'), os.fsdecode(b'\xfe/0.jpg'), 'ä/0.jpg', '日本/0.jpg'],
        [' /0.jpg', 'a\n/0.jpg', '%d/0.jpg', '{}/0.jpg'],
    ],
    ids=['endings', 'separators', 'long names', 'long paths', 'not UTF-8', 'special characters'],
)
def test_every_image_has_a_file_of_its_own(written, tmp_path, names):
    shown = written([f'{tmp_path}/val/{name}' for name in names], folder_of(tmp_path / 'val'))
    assert sorted(shown.values()) == list(range(len(names)))


def test_datasets_that_are_joined_keep_their_folders(written, tmp_path):
    paths = [tmp_path / name / 'ant/0.jpg' for name in ('one', 'two')]
    dataset = SimpleNamespace(dataset=joined(folder_of(tmp_path / 'one'), folder_of(tmp_path / 'two')))
    assert set(written(paths, dataset)) == {'one/ant/0.jpg_0.png', 'two/ant/0.jpg_0.png'}


def test_an_image_that_comes_twice_has_two_files(written, tmp_path):
    assert set(written(2 * [tmp_path / 'ant/0.jpg'], folder_of(tmp_path))) == {'ant/0.jpg_0.png', 'ant/0.jpg_2_0.png'}


def test_images_outside_of_the_root_stay_within_the_folder(written, tmp_path):
    paths = [tmp_path / 'elsewhere/0.jpg', f'{tmp_path}/val/../../../0.jpg', 's3://bucket/../0.jpg']
    shown = written(paths, folder_of(tmp_path / 'val'))
    assert len(shown) == 3
    assert all(not name.startswith('..') for name in shown)


def test_one_in_so_many_is_shown(written, tmp_path):
    shown = written([tmp_path / f'{number}.jpg' for number in range(7)], folder_of(tmp_path), interval=3)
    assert set(shown) == {'0.jpg_0.png', '3.jpg_0.png', '6.jpg_0.png'}


@pytest.mark.parametrize(
    ('dataset', 'root'),
    [
        (folder_of('/data/val'), '/data/val'),
        (joined(folder_of('/data/a'), folder_of('/data/b')), '/data'),
        (SimpleNamespace(dataset=folder_of('/data/val')), '/data/val'),
        (SimpleNamespace(data_root='/data'), '/data'),
        (folder_of('s3://bucket'), ''),
        (SimpleNamespace(), ''),
    ],
)
def test_the_root_is_what_all_images_are_in(dataset, root):
    assert common_root(dataset) == root


def test_no_part_of_a_name_is_too_long():
    assert all(len(part) <= 255 for part in name_below('/d', '/d/' + 1000 * 'x' + '/' + 1000 * 'y').split('/'))
