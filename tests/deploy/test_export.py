import shutil
import sys
from collections import Counter

import numpy as np
import pytest
import torch
from torchvision.models import inception_v3

from mmpretrain_inception.deploy import compare as difference
from mmpretrain_inception.deploy import export_model, load_runtime, read_contract
from mmpretrain_inception.deploy.choose import choose_backend
from mmpretrain_inception.errors import InputError, UsageError

# One worker, since the tests share the files; the first of a library waits for its import.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group('exported')]

OFFERED = [
    ('onnx', 'fp32', 1e-5),
    ('onnx', 'fp16', 5e-3),
    ('onnx', 'int8', 0.2),
    ('openvino', 'fp32', 1e-5),
    ('openvino', 'fp16', 5e-3),
    ('openvino', 'bf16', 0.05),
    ('openvino', 'int8', 0.2),
    ('torch', 'fp32', 1e-5),
    ('torch', 'bf16', 0.05),
]


@pytest.mark.parametrize(('to', 'precision', 'bound'), OFFERED)
def test_a_file_computes_what_the_model_does_at_any_batch_size(exported, normalised, logits, to, precision, bound):
    run = load_runtime(exported(to, precision), threads=1)
    for start, end in ((0, 1), (1, 4), (0, 7)):
        found = run(normalised[start:end])
        assert found.dtype == np.float32
        assert np.abs(found - logits[start:end]).max() / np.abs(logits).max() < bound


@pytest.mark.parametrize(
    ('to', 'precision', 'channel_order'),
    [
        *[('onnx', 'fp32', 'RGB'), ('onnx', 'fp16', 'RGB'), ('openvino', 'fp32', 'RGB'), ('torch', 'fp32', 'RGB')],
        *[('openvino', 'int8', 'RGB'), ('onnx', 'fp32', 'BGR'), ('openvino', 'fp32', 'BGR'), ('torch', 'fp32', 'BGR')],
    ],
)
def test_with_preprocessing_a_file_takes_pixels(exported, network, contract, pixels, to, precision, channel_order):
    run = load_runtime(exported(to, precision, with_preprocess=True, channel_order=channel_order), threads=1)
    images = torch.from_numpy(pixels if channel_order == 'RGB' else pixels[..., ::-1].copy()).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (contract().mean, contract().std))
    with torch.inference_mode():
        expected = network((images - mean) / std).numpy()
    bounds = dict(fp32=1e-5, fp16=5e-3, int8=0.2)
    assert np.abs(run(pixels) - expected).max() / np.abs(expected).max() < bounds[precision]


@pytest.mark.parametrize(('to', 'precision', 'bound'), OFFERED)
def test_the_contract_is_in_the_file(exported, contract, to, precision, bound):
    found = read_contract(exported(to, precision))
    assert found == contract(precision=precision, config='digits')


def test_an_onnx_file_holds_nothing_but_the_network(exported):
    onnx = pytest.importorskip('onnx')
    proto = onnx.load(exported('onnx', 'fp32', 'inception'))
    counts = dict(Conv=94, Relu=94, Concat=11, AveragePool=9, MaxPool=4, ReduceMean=1, Gemm=1)
    assert Counter(node.op_type for node in proto.graph.node) == counts
    # Nor the names of the source files of the machine that it was exported on.
    assert b'site-packages' not in proto.SerializeToString()


def test_an_openvino_file_holds_nothing_but_the_network(exported):
    openvino = pytest.importorskip('openvino')
    model = openvino.Core().read_model(exported('openvino', 'fp32', 'inception'))
    counts = Counter(operation.get_type_name() for operation in model.get_ops())
    counts.pop('Constant')
    assert counts == dict(
        **dict(Convolution=94, Relu=94, Concat=11, AvgPool=9, MaxPool=4, ReduceMean=1, MatMul=1),
        **dict(Add=95, Parameter=1, Result=1),
    )


def test_half_precision_halves_the_file(exported):
    for to, precision, suffix in (('openvino', 'fp16', '.bin'), ('torch', 'bf16', '.pt2')):
        files = (exported(to, kind, 'inception') for kind in (precision, 'fp32'))
        small, large = (file.with_suffix(suffix).stat().st_size for file in files)
        assert 0.45 < small / large < 0.55


def test_a_module_of_another_library_is_exported_likewise(tmp_path, contract):
    torch.manual_seed(0)
    model = inception_v3(weights=None, aux_logits=False, init_weights=False, num_classes=10)
    found = export_model(model, tmp_path / 'm.pt2', to='torch', contract=contract(classes=None))
    assert found.relative < 1e-5
    assert model.training
    assert read_contract(tmp_path / 'm.pt2').classes is None


@pytest.mark.parametrize('to', ['openvino', 'torch'])
def test_a_file_above_the_bound_is_not_kept_and_an_older_one_stays(
    monkeypatch, tmp_path, exported, network, contract, to
):
    old = exported(to, 'fp32')
    path = tmp_path / old.name
    path.write_text('older')
    monkeypatch.setitem(difference.BOUNDS, 'fp32', 0.0)
    with pytest.raises(InputError, match=r'expected a difference of at most 0 .* got .*; nothing was written'):
        export_model(network, path, to=to, contract=contract())
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == 'older'


def test_an_older_file_is_replaced_as_a_whole(tmp_path, exported, normalised, logits):
    for name in ('m.xml', 'm.bin'):
        (tmp_path / name).write_text('older')
    source = exported('openvino', 'fp32')
    for suffix in ('.bin', '.xml'):
        shutil.copy(source.with_suffix(suffix), tmp_path / f'm{suffix}')
    assert np.abs(load_runtime(tmp_path / 'm.xml')(normalised) - logits).max() < 1e-4


def test_int8_without_images_to_calibrate_on_is_refused(tmp_path, network, contract):
    pytest.importorskip('openvino')
    with pytest.raises(InputError, match='int8: expected images to calibrate on, got none'):
        export_model(network, tmp_path / 'm.xml', to='openvino', precision='int8', contract=contract())
    assert list(tmp_path.iterdir()) == []


def test_a_library_that_is_not_installed_is_named(monkeypatch, tmp_path, network, contract):
    monkeypatch.setitem(sys.modules, 'openvino', None)
    with pytest.raises(InputError, match=r"openvino is not installed; pip install 'mmpretrain-inception\[deploy\]'"):
        export_model(network, tmp_path / 'm.xml', to='openvino', contract=contract())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_named(tmp_path, network, contract):
    with pytest.raises(InputError, match=r'no/m\.pt2 cannot be written: No such file'):
        export_model(network, tmp_path / 'no/m.pt2', to='torch', contract=contract())


@pytest.mark.parametrize(
    ('to', 'precision', 'path', 'message'),
    [
        (
            'onnx',
            'bf16',
            'm.onnx',
            'no convolution in bf16.*use bf16 with openvino or torch, or fp32, fp16, int8 with onnx',
        ),
        ('torch', 'fp16', 'm.pt2', 'use fp16 with onnx or openvino, or fp32, bf16 with torch'),
        ('torch', 'int8', 'm.pt2', 'torchao.*use int8 with onnx or openvino'),
        ('onnx', 'fp32', 'm.xml', r'm\.xml: expected a file ending in \.onnx for onnx'),
        ('tflite', 'fp32', 'm.tflite', 'onnx, openvino, torch as runtime, got tflite'),
        ('onnx', 'int4', 'm.onnx', 'fp32, bf16, fp16, int8 as precision, got int4'),
    ],
)
def test_what_is_not_offered_is_refused_with_what_is(to, precision, path, message):
    with pytest.raises(UsageError, match=message):
        choose_backend(to, precision, path)


@pytest.mark.parametrize(
    ('images', 'message'),
    [
        (np.zeros((1, 3, 75, 76), np.float32), r'expected batches of \(3, 75, 75\) float32, got \(3, 75, 76\) float32'),
        (np.zeros((1, 3, 75, 75), np.float64), r'\(3, 75, 75\) float64 with 1 images'),
        (np.zeros((0, 3, 75, 75), np.float32), 'with 0 images'),
    ],
)
def test_images_in_another_form_are_refused(exported, images, message):
    with pytest.raises(InputError, match=message):
        load_runtime(exported('torch', 'fp32'), threads=1)(images)


@pytest.mark.parametrize('name', ['m.onnx', 'm.xml', 'm.pt2'])
def test_a_file_that_is_not_one_is_refused(tmp_path, name):
    for library in ('onnx', 'openvino'):
        pytest.importorskip(library)
    with pytest.raises(InputError, match=name.partition('.')[0]):
        load_runtime(tmp_path / name)
    for file in (name, 'm.bin'):
        (tmp_path / file).write_bytes(b'this is no network')
    with pytest.raises(InputError, match='expected an undamaged'):
        load_runtime(tmp_path / name)
