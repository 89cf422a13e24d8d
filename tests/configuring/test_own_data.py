"""What `--data` may be, through the plan and the config that comes out."""

import re
from copy import deepcopy

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from support import CONFIGS

from mmpretrain_inception.configuring.apply import apply
from mmpretrain_inception.configuring.config_file import merge_options
from mmpretrain_inception.configuring.folder import check_resumed_data, plan_folder
from mmpretrain_inception.configuring.plan import Plan
from mmpretrain_inception.deploy.contract import KEY, Contract
from mmpretrain_inception.errors import InputError, UsageError

CONFIG = Config.fromfile(CONFIGS / 'inception-v3_1xb32_folder.py')


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


@pytest.fixture
def data(tmp_path):
    """Write files, by default a number of images into each of some folders, and return the folder that holds them."""

    def write(*names, **sizes):
        for name, size in sizes.items():
            names += tuple(f'{name.replace("__", "/")}/{index}.jpg' for index in range(size))
        for name in names:
            path = tmp_path / 'data' / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        return str(tmp_path / 'data')

    return write


def planned(path, options=None, config=CONFIG, **arguments):
    cfg = deepcopy(config)
    merge_options(cfg, options)
    plan = plan_folder(cfg, 'c.py', data=path, cfg_options=options, **arguments)
    return plan, apply(Plan(data=plan), cfg, options)[0]


def names_of(cfg, phase, root):
    dataset = DATASETS.build({**cfg[f'{phase}_dataloader'].dataset, 'pipeline': []})
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [info['img_path'].removeprefix(f'{root}/') for info in infos]


@pytest.mark.parametrize(
    ('train', 'val', 'test'),
    [('train', 'val', None), ('Train', 'valid', None), ('TRAINING', 'Validation', None), ('train', 'valid', 'Test')],
)
def test_folders_for_training_and_validation_have_many_names(data, train, val, test):
    sizes = {f'{split}__{name}': 2 for split in (train, val, test) if split for name in ('ant', 'bee')}
    root = data(**sizes)
    plan, cfg = planned(root)
    assert plan.classes == ('ant', 'bee')
    assert names_of(cfg, 'train', root) == [f'{train}/{name}/{n}.jpg' for name in ('ant', 'bee') for n in (0, 1)]
    assert {name.split('/')[0] for name in names_of(cfg, 'val', root)} == {val}
    assert {name.split('/')[0] for name in names_of(cfg, 'test', root)} == {test or val}
    assert plan.facts.images == dict(train=4, val=4) | (dict(test=4) if test else {})


def test_a_test_folder_is_what_a_test_reads_and_says(data):
    root = data(train__ant=2, train__bee=2, val__ant=1, val__bee=1, test__ant=3, test__bee=3)
    plan, _ = planned(root, phases=('test',))
    assert plan.facts.lines() == [f'data: {root}: 2 classes; images: 6 to test (its folder test)']


def test_a_test_folder_without_classes_is_said_not_to_be_used(data):
    root = data(train__ant=2, train__bee=2, val__ant=1, val__bee=1, test=3)
    plan, cfg = planned(root, phases=('test',))
    assert plan.facts.remarks == ('test is not used: it has no folders of classes',)
    assert names_of(cfg, 'test', root) == ['val/ant/0.jpg', 'val/bee/0.jpg']


def test_a_flat_folder_of_classes_is_divided_by_content(data):
    root = data('ant/.DS_Store', 'ant/x.txt', '__MACOSX/ant/1.jpg', '.git/1.jpg', '7.jpg', 'README', ant=60, bee=60)
    plan, cfg = planned(root)
    train, val = names_of(cfg, 'train', root), names_of(cfg, 'val', root)
    assert plan.classes == ('ant', 'bee')
    assert sorted(train + val) == sorted(f'{name}/{index}.jpg' for name in ('ant', 'bee') for index in range(60))
    assert names_of(cfg, 'test', root) == val
    assert plan.facts.images == dict(train=len(train), val=len(val))
    assert [sum(plan.facts.class_images[phase]) for phase in ('train', 'val')] == [len(train), len(val)]
    assert plan.facts.lines() == [
        f'data: {root}: 2 classes; images: {len(train)} to train on, {len(val)} to validate '
        '(20% to validate, chosen by content)',
        'not used: 1 .txt, 1 hidden, 1 images outside of the folders, 1 without an ending',
    ]


def test_training_images_are_divided_where_there_is_no_folder_for_validation(data):
    root = data(train__ant=30, train__bee=30, test__ant=2, test__bee=2)
    plan, cfg = planned(root)
    assert len(names_of(cfg, 'train', root)) + len(names_of(cfg, 'val', root)) == 60
    assert names_of(cfg, 'test', root)[0] == 'test/ant/0.jpg'
    assert plan.facts.split == '20% to validate, chosen by content; its folder test'


def test_a_class_may_be_called_train(data):
    root = data(train=20, bus=20, car=20)
    plan, _ = planned(root, phases=('train',))
    assert plan.classes == ('bus', 'car', 'train')


def test_the_dumped_config_reads_the_same_and_takes_other_data(data, tmp_path):
    root = data(ant=40, bee=40)
    _, first = planned(root, val_share=0.4)
    _, again = planned(None, config=first)
    assert again.to_dict() == first.to_dict()
    assert again.train_dataloader.dataset.val_share == 0.4
    folders = tmp_path / 'folders'
    for split in ('train', 'val'):
        for name in ('x', 'y'):
            (folders / split / name).mkdir(parents=True)
            (folders / split / name / '1.jpg').touch()
    _, other = planned(str(folders), config=first)
    assert 'split' not in other.train_dataloader.dataset
    assert names_of(other, 'train', folders) == ['train/x/1.jpg', 'train/y/1.jpg']


def table(data, several=False):
    labels = ('cat|in', 'dog|out') if several else ('cat', 'dog')
    root = data(**{'pictures': 40})
    rows = ''.join(f'pictures/{index}.jpg,{labels[index % 2]}\n' for index in range(40))
    path = f'{root}/photos.csv'
    with open(path, 'w') as file:
        file.write(f'path,label\n{rows}')
    return path


def test_a_table_takes_the_place_of_a_folder_and_gives_it_back(data):
    path = table(data)
    plan, cfg = planned(path)
    assert plan.classes == ('cat', 'dog')
    assert cfg.model.head.num_classes == 2
    assert cfg.train_dataloader.dataset.type == 'mmpretrain_inception.CsvImages'
    _, again = planned(None, config=cfg)
    assert again.to_dict() == cfg.to_dict()
    root = data(ant=9, bee=9)
    _, folder = planned(root, config=cfg, options={'train_dataloader.dataset.classes': ['ant', 'bee', 'pictures']})
    assert folder.train_dataloader.dataset.type == 'mmpretrain_inception.ImageFolder'
    assert 'ann_file' not in folder.train_dataloader.dataset


def test_several_labels_get_mmpretrains_head_loss_and_metrics(data):
    plan, cfg = planned(table(data, several=True), options={'default_hooks.checkpoint.save_best': 'auto'})
    assert plan.facts.several_labels
    assert plan.facts.lines()[0].startswith(f'data: {plan.root}: 4 classes, several labels an image; images: ')
    head = dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=4, in_channels=2048)
    assert cfg.model.head.to_dict() == head
    kinds = [metric['type'] for metric in cfg.val_evaluator]
    assert kinds == ['mmpretrain.AveragePrecision', 'mmpretrain.MultiLabelMetric']
    assert cfg.test_evaluator == cfg.val_evaluator
    assert cfg.data_preprocessor.num_classes == 4
    _, again = planned(None, config=cfg)
    assert again.to_dict() == cfg.to_dict()


def test_the_best_of_several_labels_is_by_their_own_metric(data):
    config = deepcopy(CONFIG)
    config.default_hooks.checkpoint.save_best = 'accuracy/top1'
    _, cfg = planned(table(data, several=True), config=config)
    assert (cfg.default_hooks.checkpoint.save_best, cfg.default_hooks.checkpoint.rule) == ('multi-label/mAP', 'greater')


def test_a_head_for_one_label_that_is_not_ours_is_refused(data):
    config = deepcopy(CONFIG)
    config.model.head = dict(type='LinearClsHead', num_classes=3, in_channels=2048)
    with pytest.raises(UsageError, match='several labels an image, for which the head of this config, LinearClsHead'):
        planned(table(data, several=True), config=config)


@pytest.mark.parametrize(
    ('sizes', 'names', 'message'),
    [
        ({}, ('notes.txt',), 'or a .csv file of path,label, got no folder'),
        ({}, ('1.jpg', '2.png'), 'or a .csv file of path,label, got 2 images without a folder of their class'),
        (dict(ant=3), (), 'expected at least two classes, got only ant'),
        (dict(x__ant=3, x__bee=3), (), 'got only x, which holds ant, bee; did you mean --data '),
        (dict(ant=3), ('bee/1.txt',), 'expected images of at least two classes to train on, got only those of ant'),
        ({}, ('ant/1.txt', 'bee/2.heics'), 'expected images (.jpg .png .gif .webp .tif and so on), found 1 .heics, 1'),
        (dict(train=3), (), 'data/train: expected one folder of images for each class, but there is no folder in it'),
        (dict(val__a=1, valid__a=1, train__a=1), (), 'expected one folder for val, got val, valid; rename one'),
        (dict(val__ant=2, val__bee=2), (), 'train: expected a folder with one folder of images for each class'),
    ],
)
def test_data_that_nothing_can_be_trained_on(data, sizes, names, message):
    with pytest.raises(InputError, match=re.escape(message)):
        planned(data(*names, **sizes))


@pytest.mark.parametrize(
    ('sizes', 'names', 'remark'),
    [
        (dict(ant=30, bee=30), ('cat/1.txt',), 'no images of cat'),
        (dict(ant=30, bee=30, cat=1), (), 'only one image to train on of cat'),
        (dict(train__a=3, train__b=3, val__a=3, val__b=3, other__c=3), (), 'folders beside them are not used: other'),
    ],
)
def test_what_can_be_trained_on_and_has_gaps_is_said_in_a_line(data, sizes, names, remark):
    plan, _ = planned(data(*names, **sizes))
    assert any(remark in line for line in plan.facts.lines())


def test_the_share_is_refused_where_it_has_no_effect(data):
    root = data(train__ant=2, train__bee=2, valid__ant=2, valid__bee=2)
    with pytest.raises(
        UsageError, match=r'--val-share 0.3 has no effect: .*data is divided already, into train and val'
    ):
        planned(root, val_share=0.3)
    with pytest.raises(UsageError, match='--val-share is for configs that declare image_folder'):
        plan_folder(Config(dict()), 'c.py', val_share=0.3)


def test_one_dataset_alone_cannot_have_another_share(data):
    with pytest.raises(UsageError, match=r'val_share=0\.5.*: --val-share needs'):
        planned(data(ant=30, bee=30), val_share=0.3, options={'train_dataloader.dataset.val_share': 0.5})


def save_checkpoint(path, share):
    meta = {'dataset_meta': {'classes': ('ant', 'bee'), 'val_share': share}}
    torch.save({'state_dict': {'head.fc.bias': torch.zeros(2)}, 'meta': meta}, path)


def save_onnx(path, share):
    onnx = pytest.importorskip('onnx')
    contract = Contract(2, 75, 75, classes=('ant', 'bee'), val_share=share)
    model = onnx.ModelProto(ir_version=8)
    onnx.helper.set_model_props(model, {KEY: contract.to_json()})
    onnx.save(model, path)


@pytest.mark.parametrize(('name', 'save'), [('epoch_1.pth', save_checkpoint), ('model.onnx', save_onnx)])
def test_a_test_uses_the_share_of_the_training_and_never_its_images(data, tmp_path, name, save):
    root = data(ant=50, bee=50)
    file = str(tmp_path / name)
    save(file, 0.1)
    _, trained = planned(root, val_share=0.1)
    _, tested = planned(root, phases=('test',), checkpoints=[file])
    assert names_of(tested, 'test', root) == names_of(trained, 'val', root)
    assert not set(names_of(tested, 'test', root)) & set(names_of(trained, 'train', root))
    with pytest.raises(UsageError, match=r'--val-share 0.5: the checkpoint was trained with 0.1'):
        planned(root, phases=('test',), checkpoints=[file], val_share=0.5)


def test_a_run_resumes_with_its_own_share_alone(data, tmp_path):
    file = str(tmp_path / 'epoch_1.pth')
    save_checkpoint(file, 0.3)
    root = data(ant=30, bee=30)
    check_resumed_data(file, planned(root, val_share=0.3)[0])
    with pytest.raises(InputError, match=r'--resume expects --val-share 0\.3, as the run began, got 0\.2'):
        check_resumed_data(file, planned(root)[0])


def test_shares_are_within_chance(data):
    plan, _ = planned(data(ant=150, bee=150))
    assert abs(plan.facts.images['val'] - 60) < 5 * np.sqrt(300 * 0.2 * 0.8)
