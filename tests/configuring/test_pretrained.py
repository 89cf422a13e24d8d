"""What training starts from, and what is tested, by name."""

import hashlib
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.configuring import pretrained
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import ExportOptions, TestOptions, TrainOptions
from mmpretrain_inception.deploy.contract import KEY
from mmpretrain_inception.deploy.from_config import checkpoint_contract
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.weights import published

FOLDER = str(CONFIGS / 'inception-v3_1xb32_folder.py')
DIGITS = str(CONFIGS / 'inception-v3_1xb64_digits-75px.py')
TORCHVISION = published.find('torchvision').address
MINUS_1_TO_1 = dict(mean=[127.5] * 3, std=[127.5] * 3)
IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


@pytest.fixture
def fetched(monkeypatch):
    """What would have been downloaded."""
    addresses = []
    monkeypatch.setattr(pretrained, 'fetch', addresses.append)
    return addresses


@pytest.fixture
def train(fetched, image_folder, tmp_path, monkeypatch):
    """Configure a training run in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def configured(config=FOLDER, **options):
        data = str(image_folder) if config == FOLDER else None
        configured = configure(TrainOptions(config, data=data, work_dir=str(tmp_path / 'work'), **options))
        # Without what is said of the data.
        return configured._replace(notes=tuple(note for note in configured.notes if not note.startswith('data: ')))

    return configured


def preprocessing(cfg):
    return dict(mean=list(cfg.data_preprocessor.mean), std=list(cfg.data_preprocessor.std))


def test_own_images_are_trained_from_torchvisions_weights(train, fetched):
    cfg, notes, _ = train()
    assert cfg.load_from == TORCHVISION
    assert fetched == [TORCHVISION]
    assert preprocessing(cfg) == MINUS_1_TO_1
    assert notes == ()


@pytest.mark.parametrize(
    ('config', 'name', 'expected', 'count_include_pad'),
    [
        (FOLDER, 'torchvision', MINUS_1_TO_1, True),
        (FOLDER, 'timm-gluon', IMAGENET, True),
        (FOLDER, 'mmpretrain', IMAGENET, True),
        (FOLDER, 'keras', MINUS_1_TO_1, False),
        (DIGITS, 'timm-tf', MINUS_1_TO_1, True),
    ],
)
def test_a_name_brings_its_address_and_its_publishers_preprocessing(
    train, fetched, config, name, expected, count_include_pad
):
    changed = name not in ('torchvision',)
    cfg, notes, _ = train(config, weights=name)
    assert cfg.load_from == published.find(name).address
    assert fetched == [cfg.load_from]
    assert preprocessing(cfg) == expected
    assert cfg.model.backbone.get('count_include_pad', True) == count_include_pad
    assert [note for note in notes if name in note] == (
        [f'--weights {name}: images are prepared as it expects, and not as in {config}'] if changed else []
    )


@pytest.mark.parametrize('written', ['own.pth', './torchvision'])
def test_a_file_is_taken_as_it_is(train, fetched, tmp_path, written):
    (tmp_path / written).touch()
    cfg, _, _ = train(weights=written)
    assert cfg.load_from == str(tmp_path / Path(written).name)
    assert preprocessing(cfg) == MINUS_1_TO_1
    assert fetched == []


def test_an_address_is_downloaded_before_anything_is_built(train, fetched):
    assert train(weights='http://x/y.pth').cfg.load_from == 'http://x/y.pth'
    assert fetched == ['http://x/y.pth']


def test_none_trains_from_scratch(train, fetched):
    cfg, notes, _ = train(weights='none')
    assert cfg.load_from is None
    assert fetched == []
    assert notes == ()


@pytest.mark.parametrize(
    ('weights', 'cfg_options', 'error', 'message'),
    [
        (
            'torchvision',
            {'load_from': 'x.pth'},
            UsageError,
            'both say what training starts from; leave one of them out',
        ),
        ('none', {'load_from': 'x.pth'}, UsageError, 'both say what training starts from'),
        ('torchvison', {}, InputError, r'did you mean torchvision\?'),
        (None, {'load_from': 'torchvison'}, InputError, r'did you mean torchvision\?'),
        ('absent.pth', {}, InputError, '--weights absent.pth: expected a file, address, none or mmpretrain, '),
        ('.', {}, InputError, r'--weights \.: expected a file, address, none or'),
    ],
)
def test_what_is_no_weights_is_refused(train, weights, cfg_options, error, message):
    with pytest.raises(error, match=message) as raised:
        train(weights=weights, cfg_options=cfg_options)
    assert len(str(raised.value).splitlines()) <= 2


def test_a_name_wins_over_a_file_of_that_name_and_says_so(train, tmp_path):
    (tmp_path / 'torchvision').touch()
    cfg, notes, _ = train()
    assert cfg.load_from == TORCHVISION
    assert notes == ('torchvision is the name of published weights; for the file of that name write ./torchvision',)


def test_a_setting_of_the_user_wins_over_that_of_the_publisher(train):
    cfg, notes, _ = train(weights='timm-gluon', cfg_options={'data_preprocessor.mean': [1.0, 2.0, 3.0]})
    assert preprocessing(cfg) == dict(mean=[1.0, 2.0, 3.0], std=IMAGENET['std'])
    assert 'data_preprocessor.mean=[1.0, 2.0, 3.0] (--cfg-options) is used instead of --weights' in notes


def test_a_resumed_run_downloads_nothing(train, fetched, tmp_path):
    (tmp_path / 'epoch_1.pth').touch()
    with pytest.raises(InputError, match='is empty'):
        train(weights='torchvision', resume=str(tmp_path / 'epoch_1.pth'))
    cfg, notes, _ = train(DIGITS, weights='timm-gluon', resume=str(tmp_path / 'epoch_1.pth'))
    assert fetched == []
    assert cfg.load_from == str(tmp_path / 'epoch_1.pth')
    assert preprocessing(cfg) == IMAGENET
    assert notes[0] == ('--resume continues with the weights of the earlier run; --weights timm-gluon is not used')


@pytest.mark.parametrize(
    ('config', 'name', 'remarks'),
    [
        ('inception-v3_torchvision_in1k.py', 'torchvision', 0),
        ('inception-v3_timm-tf-tfeval_in1k.py', 'timm-tf', 1),
        ('inception-v3_8xb32_in1k.py', 'torchvision', 1),
        ('inception-v3_keras_in1k.py', 'keras', 0),
    ],
)
def test_a_name_is_tested_and_exported_from_its_address(fetched, tmp_path, monkeypatch, config, name, remarks):
    monkeypatch.chdir(tmp_path)
    options = TestOptions(str(CONFIGS / config), checkpoints=(name,))
    cfg, notes, _ = configure(options)
    assert cfg.load_from == published.find(name).address
    told = [note for note in notes if note.startswith(f'{name} expects ')]
    assert len(told) == remarks
    options = ExportOptions(str(CONFIGS / config), checkpoint=name, to='onnx', out='m.onnx')
    assert [note for note in configure(options).notes if note in told] == told
    assert fetched == [cfg.load_from] * 2


def test_images_of_one_band_keep_their_statistics():
    cfg = Config.fromfile(FOLDER)
    cfg.model.backbone.in_channels = 1
    cfg.data_preprocessor = dict(mean=[7.0], std=[9.0])
    assert pretrained._changes('timm-gluon', cfg) == {}


@pytest.fixture
def trained(tmp_path):
    """Write a checkpoint of a run with a changed config, as now, or as earlier with only the text of its config."""

    def write(changes, form=KEY):
        cfg = Config.fromfile(FOLDER)
        cfg.merge_from_dict({'model.head.num_classes': 3, **changes})
        said = {KEY: checkpoint_contract(cfg, ('ant', 'bee', 'cat'))[0].to_json(), 'cfg': cfg.pretty_text}
        path = tmp_path / f'epoch_{len(list(tmp_path.glob("*.pth"))) + 1}.pth'
        torch.save({'state_dict': {'a': torch.ones(3)}, 'meta': {form: said[form]}}, path)
        return str(path)

    return write


@pytest.fixture
def checkpoint(trained):
    """A checkpoint that says that it was trained on ImageNet's mean and std."""
    return trained({f'data_preprocessor.{name}': value for name, value in IMAGENET.items()})


def test_training_from_a_checkpoint_prepares_images_as_it_was_trained(train, checkpoint):
    cfg, notes, _ = train(weights=checkpoint)
    assert preprocessing(cfg) == IMAGENET
    assert notes == (f'--weights {checkpoint}: images are prepared as it expects, and not as in {FOLDER}',)


STEP = 'test_dataloader.dataset.pipeline'
OTHERWISE = {
    'mean': (
        {'data_preprocessor.mean': IMAGENET['mean']},
        'data_preprocessor.mean=[123.675, 116.28, 103.53]; this config has another value',
    ),
    'size': ({f'{STEP}.2.crop_size': 200}, 'images of 200 x 200 px; this config has 299 x 299 px'),
    'order': ({'data_preprocessor.to_rgb': False}, 'channels in the order BGR; this config has RGB'),
    'resize': (
        {f'{STEP}.1.interpolation': 'area'},
        'images prepared by step=resize rule=short_edge size=342 interpolation=area backend=cv2 antialias=True; '
        'this config has step=resize rule=short_edge size=342 interpolation=bilinear backend=cv2 antialias=False',
    ),
}


@pytest.mark.parametrize('form', [KEY, 'cfg'])
@pytest.mark.parametrize(('changes', 'remark'), OTHERWISE.values(), ids=OTHERWISE)
def test_a_checkpoint_that_is_tested_otherwise_than_trained_is_told(trained, image_folder, form, changes, remark):
    checkpoint, data = trained(changes, form), str(image_folder)
    notes = configure(TestOptions(FOLDER, data=data, checkpoints=(checkpoint,))).notes
    assert [note for note in notes if note.startswith(checkpoint)] == [f'{checkpoint} expects {remark}']
    exported = ExportOptions(FOLDER, data=data, checkpoint=checkpoint, to='onnx', out='m.onnx')
    assert [note for note in configure(exported).notes if note.startswith(checkpoint)] == [
        f'{checkpoint} expects {remark}'
    ]


def test_a_size_that_the_user_asks_for_is_not_remarked_on(trained, image_folder):
    checkpoint = trained({})
    for size, many in ((None, 0), (200, 0)):
        options = TestOptions(FOLDER, data=str(image_folder), checkpoints=(checkpoint,), image_size=size)
        assert sum(note.startswith(checkpoint) for note in configure(options).notes) == many


SIGMOID = {'model.head': dict(_delete_=True, type='MultiLabelLinearClsHead', num_classes=3, in_channels=2048)}


@pytest.mark.parametrize('form', [KEY, 'cfg'])
def test_a_checkpoint_for_several_labels_is_refused_for_one_and_the_reverse(trained, image_folder, tmp_path, form):
    rows = [f'train/{name}/0.jpg,{name}|{other}' for name, other in (('ant', 'bee'), ('bee', 'cat'), ('cat', 'ant'))]
    table = image_folder / 'labels.csv'
    table.write_text('\n'.join(['path,label', *rows]))
    asked = dict(to='onnx', out=str(tmp_path / 'm.onnx'))
    for changes, data, message in (
        ({}, table, f'one label an image, but {table} is for several labels'),
        (SIGMOID, image_folder, f'several labels an image, but the head of {FOLDER} is for one label'),
    ):
        checkpoint = trained(changes, form)
        for options in (
            TestOptions(FOLDER, data=str(data), checkpoints=(checkpoint,)),
            ExportOptions(FOLDER, data=str(data), checkpoint=checkpoint, **asked),
            TrainOptions(FOLDER, data=str(data), resume=checkpoint, weights='none', work_dir=str(tmp_path / 'w')),
        ):
            with pytest.raises(InputError) as error:
                configure(options)
            first, second = str(error.value).splitlines()
            assert first == f'{checkpoint}: was trained for {message}'
            assert second == 'use the config and the kind of data of its training'
    # The model of several labels may be tested on images that have one each.
    kept = {'model.head': dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=2048, _delete_=True)}
    configure(TestOptions(FOLDER, kept, data=str(image_folder), checkpoints=(checkpoint,)))


@pytest.mark.parametrize('weights', [None, 'torchvision', 'none'])
def test_a_run_is_not_resumed_with_another_preprocessing(train, checkpoint, tmp_path, weights):
    with pytest.raises(InputError) as error:
        train(resume=checkpoint, weights=weights)
    assert str(error.value).splitlines() == [
        f'{checkpoint}: data_preprocessor.mean is [123.675, 116.28, 103.53] in the checkpoint and '
        '[127.5, 127.5, 127.5] in this run; --resume needs the same settings',
        'name the --weights that training started from, or set it as it was',
    ]
    assert preprocessing(train(resume=checkpoint, weights='timm-gluon').cfg) == IMAGENET
    # The file that it started from said so too.
    (tmp_path / 'gone.pth').touch()
    assert preprocessing(train(resume=checkpoint, weights='gone.pth').cfg) == IMAGENET


def test_a_downloaded_file_starts_training_like_a_local_one(train, tmp_path, monkeypatch, published_at):
    """Through the road of the real thing: a table, a server that is a cache, and a checksum."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    kept = tmp_path / 'hub/checkpoints'
    kept.mkdir(parents=True)
    torch.save({'a': torch.ones(3)}, tmp_path / 'file.pth')
    digits = hashlib.sha256((tmp_path / 'file.pth').read_bytes()).hexdigest()
    address = f'http://127.0.0.1:1/w-{digits[:8]}.pth'
    shutil.copy(tmp_path / 'file.pth', kept / f'w-{digits[:8]}.pth')
    published_at(address, f'sha256:{digits}')
    assert train().cfg.load_from == address
