import pickle
import re

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from support import CONFIGS, run_tool

from mmpretrain_inception.deploy import read_contract
from mmpretrain_inception.deploy.contract import KEY
from mmpretrain_inception.deploy.from_config import checkpoint_contract
from mmpretrain_inception.inference.listing import Listing
from mmpretrain_inception.inference.load import load_model
from mmpretrain_inception.inference.stream import answers

FOLDER = CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py'
CLASSES = ('ant', 'bee', 'cat')

# One worker, since they share the folder.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow'), pytest.mark.xdist_group('exports')]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, randomise):
    """A folder with images of three classes and a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp('exports')
    rng = np.random.default_rng(0)
    for split, count in (('train', 8), ('val', 4)):
        for label, name in enumerate(CLASSES):
            (folder / 'images' / split / name).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(80 * label, 80 * label + 60, size=(90, 80, 3), dtype=np.uint8)
                cv2.imwrite(str(folder / 'images' / split / name / f'{index}.jpg'), image)
    cfg = Config.fromfile(FOLDER)
    cfg.model.head.num_classes = 3
    torch.manual_seed(0)
    model = randomise(MODELS.build(cfg.model))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        contract, _ = checkpoint_contract(cfg, CLASSES)
    meta = {KEY: contract.to_json(), 'dataset_meta': dict(classes=CLASSES)}
    torch.save(dict(state_dict=model.state_dict(), meta=meta), folder / 'c.pth')
    return folder


@pytest.fixture(scope='module')
def command(folder):
    """Run a tool in that folder, with its images."""
    return lambda name, *arguments: run_tool(name, FOLDER, *arguments, '--data', 'images', cwd=folder)


@pytest.fixture(scope='module')
def scores(command, folder):
    """Evaluate a file and return the scores that --out writes and the accuracy that is logged."""

    def evaluate(file, *options):
        result = command('test.py', file, '--out', 'predictions.pkl', *options)
        assert result.returncode == 0, result.stdout + result.stderr
        predictions = pickle.loads((folder / 'predictions.pkl').read_bytes())
        accuracy = re.findall(r'^accuracy/top[13] +[\d.]+$', result.stdout, re.MULTILINE)
        assert len(accuracy) == 2
        return torch.stack([prediction['pred_score'] for prediction in predictions]), accuracy

    return evaluate


@pytest.fixture(scope='module')
def predicted(folder):
    """Predict the same images as tools/predict.py does, and return the scores."""

    def predict(file, **options):
        model, listing = load_model(folder / file, 'cpu'), Listing([str(folder / 'images' / 'val')])
        batches = list(answers(model, listing.samples(), **options))
        return torch.stack([answered.sample.pred_score for batch in batches for answered in batch])

    return predict


def export(command, to, out, *options):
    result = command('export.py', 'c.pth', '--to', to, '--out', out, *options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ('to', 'out', 'options', 'tolerance'),
    [
        ('onnx', 'm.onnx', (), 1e-5),
        ('openvino', 'm.xml', ('--with-preprocess',), 1e-5),
        ('torch', 'm.pt2', ('--with-preprocess', '--precision', 'bf16'), 0.1),
        ('openvino', 'i.xml', ('--precision', 'int8', '--calibration', '5', '--with-preprocess'), 0.3),
    ],
)
def test_an_exported_file_is_evaluated_as_the_checkpoint_is(
    command, folder, scores, predicted, to, out, options, tolerance
):
    for library in dict(onnx=['onnx', 'onnxscript', 'onnxruntime'], openvino=['openvino', 'nncf']).get(to, []):
        pytest.importorskip(library)
    printed = export(command, to, out, *options)
    images = 12 + (5 if 'int8' in options else 4)
    assert re.search(
        rf'largest difference \S+ of the largest logit, same best class on \S+ % of {images} images', printed
    )
    contract = read_contract(folder / out)
    assert (contract.classes, contract.config) == (CLASSES, FOLDER.name)
    expected, accuracy = scores('c.pth')
    found, found_accuracy = scores(out)
    assert torch.equal(predicted(out, batch_size=64, workers=2), found)
    one_by_one, _ = scores(out, '--cfg-options', 'test_dataloader.batch_size=1')
    assert torch.equal(predicted(out, batch_size=1, workers=0), one_by_one)
    assert (found - expected).abs().max() < tolerance
    if 'int8' not in options and 'bf16' not in options:
        assert found_accuracy == accuracy
        mirrored, _ = scores(out, '--tta')
        torch.testing.assert_close(mirrored, scores('c.pth', '--tta')[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize('batch_size', [1, 5, 32])
def test_predictions_are_those_of_testing_bit_for_bit(scores, predicted, batch_size):
    tested, _ = scores('c.pth', '--cfg-options', f'test_dataloader.batch_size={batch_size}')
    for workers in (0, 2):
        assert torch.equal(predicted('c.pth', batch_size=batch_size, workers=workers), tested)


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (('c.pth', '--to', 'onnx', '--out', 'm.xml'), 2, '--out m.xml: expected a file ending in .onnx for onnx'),
        (
            ('c.pth', '--to', 'torch', '--out', 'm.pt2', '--calibration', '0'),
            2,
            '--calibration: expected a number of images, got 0',
        ),
        (('c.pth', '--to', 'torch', '--out', 'm.pt2', '--precision', 'int8'), 2, 'torch does not support int8'),
        (('absent.pth', '--to', 'torch', '--out', 'm.pt2'), 1, 'absent.pth'),
    ],
)
def test_exports_that_cannot_be(command, folder, arguments, status, message):
    (folder / 'm.pt2').unlink(missing_ok=True)
    result = command('export.py', *arguments)
    assert result.returncode == status, result.stdout + result.stderr
    assert message in result.stderr
    assert 'Traceback' not in result.stderr
    assert not (folder / 'm.pt2').exists()
