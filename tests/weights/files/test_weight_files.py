import os
import pickle
import struct
import sys
import zipfile
from importlib.util import find_spec

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import open_weights

needs_h5py = pytest.mark.skipif(find_spec('h5py') is None, reason='h5py is not installed')

STATE = {'fc.weight': torch.arange(6.0).reshape(2, 3), 'fc.bias': torch.tensor([1.0, 2.0])}


def assert_same(tensors, expected):
    assert list(tensors) == list(expected)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.parametrize('wrap', [dict, lambda s: dict(state_dict=s, epoch=3), lambda s: dict(model=s)])
@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'before_torch_1.6'])
@pytest.mark.parametrize('name', ['model.pth', 'model.pt', 'no_suffix', 'named_wrongly.h5'])
def test_torch_file_is_read_by_its_content(save, wrap, zipped, name):
    path = save(wrap(STATE), name, _use_new_zipfile_serialization=zipped)

    assert_same(open_weights(path).tensors, STATE)


def test_safetensors_are_read(tmp_path):
    safetensors_torch = pytest.importorskip('safetensors.torch')
    safetensors_torch.save_file(STATE, tmp_path / 'model.pth', metadata=dict(network='fid'))

    opened = open_weights(tmp_path / 'model.pth')
    tensors, meta = opened.tensors, opened.meta

    assert_same(dict(sorted(tensors.items(), reverse=True)), STATE)
    assert meta == dict(network='fid')


class TinyModel(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(1, 1)
        self.bn = nn.BatchNorm1d(1)

    def forward(self, *pixels, mode):
        return dict(loss=self.bn(self.fc(torch.stack(pixels)[:, None])).square().mean())


@pytest.fixture(scope='module')
def stock_checkpoint(tmp_path_factory):
    """What mmengine's Runner writes after two iterations, and the model that it trained."""
    folder = tmp_path_factory.mktemp('stock')
    runner = Runner(
        TinyModel(),
        work_dir=str(folder),
        train_dataloader=dict(
            batch_size=2, dataset=list(torch.rand(4)), sampler=dict(type='DefaultSampler', shuffle=False)
        ),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        param_scheduler=[dict(type='LinearLR', start_factor=0.1, end=1), dict(type='CosineAnnealingLR', T_max=3)],
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[dict(type='EMAHook')],
        experiment_name='stock',
    )
    runner.train()
    # The Runner set it for the process, and other tests build models by mmpretrain's names.
    DefaultScope._instance_dict.clear()
    return folder / 'epoch_1.pth', runner.model


def test_stock_runner_checkpoint_gives_parameters_and_plain_metadata(stock_checkpoint):
    path, _ = stock_checkpoint
    with pytest.raises(pickle.UnpicklingError, match='HistoryBuffer'):
        torch.load(path)
    expected = torch.load(path, weights_only=False)

    opened = open_weights(path)
    tensors, meta = opened.tensors, opened.meta

    assert_same(tensors, expected['state_dict'])
    assert meta == expected['meta']
    assert meta['epoch'] == 1


class Creates:
    """An object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


def as_plain_pickle(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


def as_legacy_file(content, path):
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize('write', [torch.save, as_legacy_file, as_plain_pickle])
@pytest.mark.parametrize(
    'content', [lambda evil: evil, lambda evil: dict(state_dict=STATE, meta=evil), lambda evil: {**STATE, 'x': evil}]
)
def test_pickle_that_would_create_a_file_is_refused_by_name_and_creates_none(tmp_path, write, content):
    path, created = tmp_path / 'evil.pth', tmp_path / 'created'
    write(content(Creates(created)), path)

    with pytest.raises(
        InputError, match=r'evil\.pth was not opened: it needs \S+, .*Nothing in it was executed'
    ) as error:
        open_weights(path)

    assert '\n' not in str(error.value)
    assert not created.exists()
    # The test would pass with a harmless file too.
    torch.load(path, weights_only=False) if write is not as_plain_pickle else pickle.loads(path.read_bytes())
    assert created.exists()


class Reduces:
    """An object that unpickles as the call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_getattr_which_stock_checkpoints_need_reaches_nothing(save):
    path = save(dict(state_dict=STATE, meta=dict(epoch=1, method=Reduces(getattr, 'text', 'upper'))))

    assert torch.load(path, weights_only=False)['meta']['method']() == 'TEXT'
    assert open_weights(path).meta == dict(epoch=1)


def test_what_getattr_gives_cannot_be_called(save):
    # Pickle reaches the bound method through getattr.
    path = save(dict(state_dict=STATE, meta=dict(text=Reduces('text'.upper))))

    assert torch.load(path, weights_only=False)['meta']['text'] == 'TEXT'
    with pytest.raises(InputError, match=r'weights\.pth was not opened: its pickle uses more'):
        open_weights(path)


def test_what_the_process_allows_elsewhere_is_refused_all_the_same(save):
    path = save(dict(state_dict=STATE, meta=Reduces(os.getcwd)))
    allowed = [(os.getcwd, f'{os.getcwd.__module__}.getcwd'), Runner]

    with torch.serialization.safe_globals(allowed):
        with pytest.raises(InputError, match=r'it needs posix\.getcwd'):
            open_weights(path)
        assert set(allowed) <= set(torch.serialization.get_safe_globals())


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def write_safetensors(path, header, data=b''):
    text = header.encode()
    path.write_bytes(struct.pack('<Q', len(text)) + text + data)


def write_zip(path, **members):
    with zipfile.ZipFile(path, 'w') as archive:
        for name, content in members.items():
            archive.writestr(name.replace('__', '.'), content)


def cut_torch(path):
    torch.save(STATE, path)
    half(path)


def cut_legacy_torch(path):
    torch.save(STATE, path, _use_new_zipfile_serialization=False)
    half(path)


def torchscript(path):
    torch.jit.save(torch.jit.script(nn.Linear(1, 1)), path)


@pytest.mark.filterwarnings('ignore:.*torch.jit:DeprecationWarning')
@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda path: None, 'cannot be read: No such file'),
        (lambda path: path.mkdir(), 'is a folder; expected a PyTorch .* file'),
        (lambda path: path.touch(), 'is empty'),
        (
            lambda path: path.write_text('version https://git-lfs.github.com/spec/v1'),
            "not a .* file: it starts with b'vers",
        ),
        (cut_torch, 'damaged or truncated'),
        (cut_legacy_torch, 'damaged, truncated'),
        (lambda path: write_zip(path, readme__txt='hello'), 'zip archive without weights'),
        pytest.param(
            lambda path: write_zip(path, model__weights__h5='hello'),
            "damaged, truncated, or not a file of Keras's",
            marks=needs_h5py,
        ),
        (lambda path: torch.save([1, 2], path), 'expected a state dict, got a list'),
        (
            lambda path: torch.save(dict(state_dict=dict(a=1)), path),
            "is not a state dict: expected tensors, got type int for 'a'",
        ),
        (lambda path: torch.save(nn.Linear(1, 1), path), r'it needs torch\.nn\.modules\.linear\.Linear'),
        (lambda path: torch.save(STATE, path, pickle_protocol=4), 'its pickle uses more than torch.save writes'),
        (
            lambda path: torch.save(dict(a=torch.ones(2).to_sparse()), path),
            'expected dense tensors .*, but a is sparse',
        ),
        (torchscript, 'TorchScript archive'),
        (
            lambda path: write_safetensors(path, '{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}'),
            'damaged',
        ),
        (
            lambda path: write_safetensors(
                path, '{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}', b'1234'
            ),
            'damaged',
        ),
        (lambda path: path.write_bytes(struct.pack('<Q', 2**60) + b'{}'), 'damaged'),
        pytest.param(lambda path: path.write_bytes(b'\x89HDF\r\n\x1a\n' + bytes(500)), 'damaged', marks=needs_h5py),
    ],
)
def test_wrong_file_is_refused_in_one_line_that_names_it(tmp_path, write, message):
    path = tmp_path / 'wrong.pth'
    write(path)

    with pytest.raises(InputError, match=rf'wrong\.pth.*{message}') as error:
        open_weights(path)

    assert '\n' not in str(error.value)


def keras_file(path, layers, prefix=''):
    """Write layers as Keras 2 does: the name of the layer twice, then the name of the weight."""
    h5py = pytest.importorskip('h5py')
    with h5py.File(path, 'w') as file:
        for layer, parts in layers.items():
            for part, values in parts.items():
                file[f'{prefix}{layer}/{layer}/{part}:0'] = values.numpy()
    return path


LAYERS = {
    'conv2d_9': dict(kernel=torch.rand(3, 2, 4, 5)),
    'conv2d_10': dict(kernel=torch.rand(1, 7, 5, 6)),
    'batch_normalization_9': dict(beta=torch.rand(5), moving_mean=torch.rand(5), moving_variance=torch.rand(5)),
    'predictions': dict(kernel=torch.rand(6, 3), bias=torch.rand(3)),
    'block1_conv1': dict(kernel=torch.rand(2, 2)),
}


@pytest.mark.parametrize('prefix', ['', 'model_weights/'])
def test_keras_layers_are_numbered_in_order_and_laid_out_as_in_pytorch(tmp_path, prefix):
    tensors = open_weights(keras_file(tmp_path / 'model.h5', LAYERS, prefix)).tensors

    assert set(tensors) == {
        *('conv2d.0.kernel', 'conv2d.1.kernel', 'dense.0.kernel', 'dense.0.bias', 'block1_conv1.0.kernel'),
        *(f'batch_normalization.0.{part}' for part in ('beta', 'moving_mean', 'moving_variance')),
    }
    assert tensors['conv2d.0.kernel'].shape == (5, 4, 3, 2)
    assert tensors['conv2d.1.kernel'][4, 3, 0, 6] == LAYERS['conv2d_10']['kernel'][0, 6, 3, 4]
    assert torch.equal(tensors['dense.0.kernel'], LAYERS['predictions']['kernel'].T)


def ordinal(number):
    return torch.full((number,), float(number))


# What the layers around a network are called and numbered must not shift those inside.
AROUND = {
    'named': {
        'model_weights/net/conv2d_9/kernel:0': 1,
        'model_weights/net/conv2d_10/kernel:0': 2,
        'model_weights/conv2d/conv2d/kernel:0': 3,
        'model_weights/answer/sequential/answer/kernel:0': torch.full((4, 4), 4.0),
        'model_weights/answer/sequential/answer/bias:0': 5,
        'optimizer_weights/adam/net/conv2d_9/kernel:0': 6,
    },
    'named, weights only': {
        'net/conv2d_9/kernel': 1,
        'net/conv2d_10/kernel': 2,
        'conv2d/conv2d/kernel': 3,
        'predictions/predictions/kernel': 4,
        'predictions/predictions/bias': 5,
    },
    'numbered': {
        'layers/functional/layers/conv2d/vars/0': 1,
        'layers/functional/layers/conv2d_1/vars/0': 2,
        'layers/conv2d/vars/0': 3,
        'layers/sequential/layers/dense/vars/0': 4,
        'layers/sequential/layers/dense/vars/1': 5,
        'optimizer/vars/0': 6,
    },
}


@pytest.mark.parametrize('layout', AROUND)
def test_layers_around_a_keras_network_come_after_its_own(tmp_path, layout):
    h5py = pytest.importorskip('h5py')
    with h5py.File(tmp_path / 'model.h5', 'w') as file:
        for name, values in AROUND[layout].items():
            file[name] = (values if isinstance(values, torch.Tensor) else ordinal(values)).numpy()

    tensors = open_weights(tmp_path / 'model.h5').tensors

    first = 'conv2d.depth' if layout == 'numbered' else 'conv2d'
    assert {name: int(values.flatten()[0]) for name, values in tensors.items()} == {
        **{f'{first}.0.kernel': 1, f'{first}.1.kernel': 2, 'conv2d.2.kernel': 3},
        **{'dense.0.kernel': 4, 'dense.0.bias': 5},
    }


def test_keras_archive_is_not_unpacked(tmp_path, monkeypatch):
    keras_file(tmp_path / 'model.weights.h5', LAYERS)
    with zipfile.ZipFile(tmp_path / 'model.keras', 'w') as archive:
        archive.write(tmp_path / 'model.weights.h5', 'model.weights.h5')
        archive.writestr('../escaped', 'text')
    (tmp_path / 'model.weights.h5').unlink()
    monkeypatch.chdir(tmp_path)

    assert 'conv2d.1.kernel' in open_weights(tmp_path / 'model.keras').tensors
    assert os.listdir(tmp_path) == ['model.keras']
    assert not (tmp_path.parent / 'escaped').exists()


def declares_too_much(file, other):
    file.create_dataset('conv2d/conv2d/kernel:0', shape=(2**40,), dtype='f4')


def links_to_another_file(file, other):
    h5py = sys.modules['h5py']
    file['conv2d'] = h5py.ExternalLink(other, '/conv2d_9')


def keeps_its_numbers_elsewhere(file, other):
    file.create_dataset('conv2d/kernel:0', shape=(4,), dtype='f4', external=[(other, 0, 16)])


def holds_text(file, other):
    file['conv2d/kernel:0'] = 'text'


@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (declares_too_much, 'expected about 24 million numbers, as Inception V3 has, got 1,099,511,627,776'),
        (links_to_another_file, "is an HDF5 file without Keras's weights"),
        (keeps_its_numbers_elsewhere, 'expected numbers in the file itself, got type'),
        (holds_text, 'expected numbers in the file itself, got type'),
    ],
)
def test_h5_file_that_lies_or_leads_elsewhere_is_refused(tmp_path, write, message):
    h5py = pytest.importorskip('h5py')
    other = keras_file(tmp_path / 'other.h5', LAYERS)
    with h5py.File(tmp_path / 'wrong.h5', 'w') as file:
        write(file, str(other))

    with pytest.raises(InputError, match=rf'wrong\.h5.*{message}'):
        open_weights(tmp_path / 'wrong.h5')


@pytest.mark.parametrize('keep', [0.3, 0.9])
def test_truncated_h5_file_is_refused(tmp_path, keep):
    path = keras_file(tmp_path / 'cut.h5', LAYERS)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])

    with pytest.raises(InputError, match=r'cut\.h5 is damaged, truncated'):
        open_weights(path)


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    keras_file(tmp_path / 'model.h5', LAYERS)
    monkeypatch.setitem(sys.modules, 'h5py', None)
    with pytest.raises(InputError, match=r"pip install 'mmpretrain-inception\[keras\]'"):
        open_weights(tmp_path / 'model.h5')
