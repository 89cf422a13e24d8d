import re

import pytest
import torch
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.datasets.folder_config import keep_file_lists, use_image_folder
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


def test_lists_of_files_are_kept_beside_the_work_directory(cfg):
    cfg.work_dir = 'runs/mine'
    cfg.train_dataloader.dataset = dict(type='RepeatDataset', times=2, dataset=cfg.train_dataloader.dataset)
    cfg.val_dataloader.dataset.cache_dir = None
    cfg.test_dataloader.dataset.type = 'CustomDataset'
    keep_file_lists(cfg)
    assert cfg.train_dataloader.dataset.dataset.cache_dir == 'runs/.file_lists'
    assert cfg.val_dataloader.dataset.cache_dir is None
    assert 'cache_dir' not in cfg.test_dataloader.dataset
