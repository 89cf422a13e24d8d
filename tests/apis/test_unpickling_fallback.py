"""mmengine's fork falls back to ``weights_only=False`` where torch refuses a file. None of our entrances gets there.

The fallback is put under ``torch.load`` itself, so that the tests mean the same with either stack.
"""

import pickle

import pytest
import torch
from hostile import created, write
from mmengine.runner import load_checkpoint
from mmpretrain import FeatureExtractor, ImageClassificationInferencer, get_model
from mmpretrain.registry import MODELS
from support import CONFIGS, TINY_DIGITS

from mmpretrain_inception.apis import ExportOptions, TestOptions, TrainOptions, evaluate, export, train
from mmpretrain_inception.apis.convert import convert
from mmpretrain_inception.errors import InputError

CONFIG = str(CONFIGS / 'inception-v3_1xb64_digits-75px.py')
BACKBONE = dict(type='mmpretrain_inception.InceptionV3')
SETTINGS = {key: int(value) for key, _, value in (option.partition('=') for option in TINY_DIGITS)}
SETTINGS['work_dir'] = 'work'


def in_init_cfg(file):
    pretrained = dict(type='Pretrained', checkpoint=file)
    MODELS.build(BACKBONE | dict(init_cfg=pretrained)).init_weights()


ENTRANCES = {
    'test': lambda file: evaluate(TestOptions(CONFIG, SETTINGS, checkpoints=(file,))),
    'test of an ensemble': lambda file: evaluate(TestOptions(CONFIG, SETTINGS, checkpoints=(file, file))),
    'training from a file': lambda file: train(TrainOptions(CONFIG, SETTINGS | dict(load_from=file))),
    'resuming': lambda file: train(TrainOptions(CONFIG, SETTINGS, resume=file)),
    'export': lambda file: export(ExportOptions(CONFIG, SETTINGS, checkpoint=file, to='torch', out='model.pt2')),
    'conversion': lambda file: convert(file, 'weights.safetensors'),
    'get_model': lambda file: get_model(CONFIG, pretrained=file),
    'inferencer': lambda file: ImageClassificationInferencer(CONFIG, pretrained=file),
    'feature extractor': lambda file: FeatureExtractor(CONFIG, pretrained=file),
    'init_cfg': in_init_cfg,
    "mmengine's load_checkpoint": lambda file: load_checkpoint(MODELS.build(BACKBONE), file),
}


@pytest.fixture
def falls_back(monkeypatch, tmp_path):
    """Make torch.load unpickle whatever its restricted unpickler refuses, and return the calls that did."""
    monkeypatch.chdir(tmp_path)
    load, fallen = torch.load, []

    def load_anything(file, *arguments, **options):
        try:
            return load(file, *arguments, **options | dict(weights_only=True))
        except pickle.UnpicklingError:
            fallen.append(file)
            return load(file, *arguments, **options | dict(weights_only=False))

    monkeypatch.setattr(torch, 'load', load_anything)
    return fallen


@pytest.mark.parametrize('entrance', ENTRANCES)
def test_no_entrance_unpickles_what_torch_refuses(falls_back, tmp_path, entrance):
    file = write('in the metadata', tmp_path / 'hostile.pth')
    with pytest.raises(InputError, match=r'hostile\.pth.* needs posix\.open'):
        ENTRANCES[entrance](str(file))
    assert falls_back == []
    assert not created(file).exists()


def test_a_model_without_our_backbone_would(falls_back, tmp_path):
    """So the tests above would notice."""
    file = write('in the metadata', tmp_path / 'hostile.pth')
    load_checkpoint(torch.nn.Linear(3, 2), str(file))
    assert falls_back == [str(file)]
    assert created(file).exists()
