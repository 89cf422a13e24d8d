import re
import tempfile
from collections import Counter
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.registry import DATASETS
from support import CONFIGS

from mmpretrain_inception.configuring.apply import apply
from mmpretrain_inception.configuring.datasets import innermost_datasets
from mmpretrain_inception.configuring.folder import plan_folder
from mmpretrain_inception.configuring.plan import Plan
from mmpretrain_inception.configuring.trained_data import classes_of_checkpoints
from mmpretrain_inception.errors import InputError, UsageError


@pytest.fixture
def cfg(image_folder):
    cfg = Config.fromfile(CONFIGS / 'inception-v3_1xb32_folder.py')
    cfg.image_folder = str(image_folder)
    return cfg


def fitted(cfg, **arguments):
    return apply(Plan(data=plan_folder(cfg, 'c.py', **arguments)), cfg)[0]


def test_number_and_names_of_the_classes_reach_every_place(cfg, image_folder):
    cfg = fitted(cfg)
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


@settings(max_examples=40, deadline=None)
@given(sizes=st.dictionaries(names, st.integers(1, 3), min_size=2, max_size=6))
def test_whatever_folders_are_called_they_are_the_classes_of_their_images(folder_config, sizes):
    cfg = deepcopy(folder_config)
    with tempfile.TemporaryDirectory() as folder:
        for name, size in sizes.items():
            for split in ('train', 'val'):
                (Path(folder) / split / name).mkdir(parents=True)
                for index in range(size):
                    (Path(folder) / split / name / f'{index}.jpg').touch()
        cfg.image_folder = folder
        cfg = fitted(cfg)
        dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'pipeline': []})
        images = [dataset.get_data_info(index) for index in range(len(dataset))]
    assert cfg.model.head.num_classes == len(sizes)
    assert dataset.metainfo['classes'] == tuple(sorted(sizes))
    assert Counter(dataset.metainfo['classes'][image['gt_label']] for image in images) == sizes
    assert all(Path(image['img_path']).parent.name == sorted(sizes)[image['gt_label']] for image in images)


def save(path, classes, outputs=None):
    meta = {'dataset_meta': {'classes': classes}}
    torch.save({'state_dict': {'head.fc.bias': torch.zeros(outputs or len(classes))}, 'meta': meta}, path)
    return str(path)


def test_the_classes_of_a_checkpoint_come_first(cfg, tmp_path):
    checkpoint = save(tmp_path / 'checkpoint.pth', ('cat', 'bee', 'ant', 'dog'))
    cfg = fitted(cfg, checkpoints=[checkpoint])
    assert cfg.test_dataloader.dataset.classes == ['cat', 'bee', 'ant', 'dog']
    assert cfg.model.head.num_classes == 4


def test_a_checkpoint_is_found_in_the_home_folder(cfg, tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    save(tmp_path / 'checkpoint.pth', ('cat', 'bee', 'ant'))
    assert plan_folder(cfg, 'c.py', checkpoints=['~/checkpoint.pth']).classes == ('cat', 'bee', 'ant')


def test_a_checkpoint_without_classes_leaves_those_of_the_folder(cfg, tmp_path):
    torch.save({'state_dict': {}}, tmp_path / 'checkpoint.pth')
    assert plan_folder(cfg, 'c.py', checkpoints=[str(tmp_path / 'checkpoint.pth')]).classes == ('ant', 'bee', 'cat')


def test_names_that_are_not_of_the_outputs_do_not_count(cfg, tmp_path):
    assert classes_of_checkpoints([save(tmp_path / 'a.pth', ('cat', 'bee', 'ant'), outputs=1000)]) == ()


def test_checkpoints_of_other_classes_are_not_averaged(tmp_path):
    first, second = save(tmp_path / 'a.pth', ('ant', 'bee')), save(tmp_path / 'b.pth', ('bee', 'ant'))
    assert classes_of_checkpoints([first, first]) == ('ant', 'bee')
    with pytest.raises(InputError, match=r'b\.pth: expected the classes of .*a\.pth, ant, bee, got bee, ant'):
        classes_of_checkpoints([first, second])


def test_a_folder_that_does_not_exist(cfg):
    cfg.image_folder = 'nowhere'
    with pytest.raises(
        InputError, match=re.escape('nowhere: expected a folder with train/<class>/* and val/<class>/*')
    ):
        plan_folder(cfg, 'c.py')


def test_a_relative_folder_is_written_as_an_absolute_one(cfg, image_folder, monkeypatch):
    monkeypatch.chdir(image_folder.parent)
    cfg = fitted(cfg, data='images')
    assert cfg.image_folder == cfg.val_dataloader.dataset.data_root == str(image_folder)


FOLDER = dict(type='mmpretrain_inception.ImageFolder')
OWN = dict(type='CIFAR10', data_root='data/cifar10')


@pytest.mark.parametrize(
    ('dataset', 'found'),
    [
        (FOLDER, ['']),
        (dict(type='RepeatDataset', times=3, dataset=FOLDER), ['.dataset']),
        (dict(type='ClassBalancedDataset', oversample_thr=0.1, dataset=FOLDER), ['.dataset']),
        (dict(type='KFoldDataset', num_splits=3, dataset=FOLDER), ['.dataset']),
        (dict(type='RepeatDataset', dataset=dict(type='ClassBalancedDataset', dataset=FOLDER)), ['.dataset.dataset']),
        (dict(type='ConcatDataset', datasets=[FOLDER, OWN, FOLDER]), ['.datasets.0', '.datasets.2']),
    ],
)
def test_the_folder_reaches_the_datasets_inside_wrappers(cfg, image_folder, dataset, found):
    cfg.train_dataloader.dataset = dataset
    keys = [f'train_dataloader.dataset{key}' for key in found]
    data = plan_folder(cfg, 'c.py')
    assert [key for key in data.datasets if key.startswith('train')] == keys
    assert set(keys) <= set(innermost_datasets(cfg, 'train'))


@pytest.mark.parametrize(
    ('train', 'others', 'needed'),
    [
        (FOLDER, FOLDER, True),
        (OWN, FOLDER, True),
        (OWN, OWN, False),
        (dict(FOLDER, data_root='mine'), dict(type='CustomDataset', data_root='mine'), False),
        (dict(type='ImageNet', data_root='data/imagenet'), dict(type='ImageNet', data_root='data/imagenet'), False),
    ],
)
def test_a_config_whose_datasets_name_their_own_data_needs_no_folder(cfg, train, others, needed):
    cfg.image_folder = None
    cfg.train_dataloader.dataset = train
    cfg.val_dataloader.dataset = cfg.test_dataloader.dataset = others
    if needed:
        with pytest.raises(UsageError, match=r'^c\.py: this config needs --data PATH'):
            plan_folder(cfg, 'c.py')
    else:
        assert plan_folder(cfg, 'c.py') is None


def test_a_folder_that_no_dataset_can_read_is_refused(cfg, image_folder):
    for phase in ('train', 'val', 'test'):
        cfg[f'{phase}_dataloader'].dataset = OWN
    with pytest.raises(UsageError, match='--data has no effect, because every dataset of this config names its own'):
        plan_folder(cfg, 'c.py', data=str(image_folder))


def test_a_folder_moves_from_one_run_to_the_next(cfg, image_folder, tmp_path):
    dumped = fitted(cfg)
    moved = image_folder.rename(tmp_path / 'moved')
    assert fitted(dumped, data=str(moved)).val_dataloader.dataset.data_root == str(moved)


@pytest.mark.parametrize('chosen', [['bee', 'ant', 'cat'], ('bee', 'ant', 'cat'), 'names.txt'])
def test_classes_that_the_user_sets_come_first(cfg, tmp_path, monkeypatch, chosen):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'names.txt').write_text('bee\nant\ncat\n')
    options = {'train_dataloader.dataset.classes': chosen}
    assert plan_folder(cfg, 'c.py', cfg_options=options).classes == ('bee', 'ant', 'cat')
    with pytest.raises(UsageError, match='the datasets of a run need the same classes'):
        plan_folder(cfg, 'c.py', cfg_options={**options, 'val_dataloader.dataset.classes': ['ant', 'bee', 'cat']})
