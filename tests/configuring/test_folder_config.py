import re
import tempfile
from collections import Counter
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.registry import DATASETS
from support import CONFIGS

from mmpretrain_inception.configuring.folder_config import use_image_folder
from mmpretrain_inception.errors import InputError


@pytest.fixture
def cfg(image_folder):
    cfg = Config.fromfile(CONFIGS / 'inception-v3_1xb32_folder.py')
    cfg.image_folder = str(image_folder)
    return cfg


def test_number_and_names_of_the_classes_reach_every_place(cfg, image_folder):
    use_image_folder(cfg)
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == 3
    for phase, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        dataset = cfg[f'{phase}_dataloader'].dataset
        assert dataset.classes == ['ant', 'bee', 'cat']
        assert (dataset.data_root, dataset.data_prefix) == (str(image_folder), split)


# Every name that a folder can have, but for hidden ones, which are no classes.
names = st.text(st.characters(exclude_characters='/\0', exclude_categories=['Cs']), min_size=1, max_size=12).filter(
    lambda name: not name.startswith('.')
)


@pytest.fixture(scope='module')
def folder_config():
    return Config.fromfile(CONFIGS / 'inception-v3_1xb32_folder.py')


@given(sizes=st.dictionaries(names, st.integers(1, 3), min_size=2, max_size=6))
def test_whatever_folders_are_called_they_are_the_classes_of_their_images(folder_config, sizes):
    cfg = deepcopy(folder_config)
    with tempfile.TemporaryDirectory() as folder:
        for name, size in sizes.items():
            (Path(folder) / 'train' / name).mkdir(parents=True)
            for index in range(size):
                (Path(folder) / 'train' / name / f'{index}.jpg').touch()
        cfg.image_folder = folder
        use_image_folder(cfg)
        dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': []})
        images = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert cfg.model.head.num_classes == len(sizes)
    assert dataset.metainfo['classes'] == tuple(sorted(sizes))
    assert Counter(dataset.metainfo['classes'][image['gt_label']] for image in images) == sizes
    assert all(Path(image['img_path']).parent.name == sorted(sizes)[image['gt_label']] for image in images)


def test_the_classes_of_a_checkpoint_come_first(cfg, tmp_path):
    meta = {'dataset_meta': {'classes': ('cat', 'bee', 'ant', 'dog')}}
    torch.save({'state_dict': {'head.fc.bias': torch.zeros(4)}, 'meta': meta}, tmp_path / 'checkpoint.pth')
    use_image_folder(cfg, checkpoint=str(tmp_path / 'checkpoint.pth'))
    assert cfg.test_dataloader.dataset.classes == ['cat', 'bee', 'ant', 'dog']
    assert cfg.model.head.num_classes == 4


def test_a_checkpoint_without_classes_leaves_those_of_the_folder(cfg, tmp_path):
    torch.save({'state_dict': {}}, tmp_path / 'checkpoint.pth')
    use_image_folder(cfg, checkpoint=str(tmp_path / 'checkpoint.pth'))
    assert cfg.model.head.num_classes == 3


def test_a_folder_that_does_not_exist(cfg):
    cfg.image_folder = 'nowhere'
    with pytest.raises(InputError, match=re.escape('nowhere: a folder with train/<class>/* and val/<class>/*')):
        use_image_folder(cfg)
