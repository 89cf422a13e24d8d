import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from support import CONFIGS
from tiny_model import CLASSES, CONTRACT, picture, write_checkpoint

import mmpretrain_inception
from mmpretrain_inception.apis.convert import convert
from mmpretrain_inception.deploy.contract import KEY
from mmpretrain_inception.deploy.parts import build_network
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference import load
from mmpretrain_inception.inference.load import contract_of, load_model
from mmpretrain_inception.inference.model import Model
from mmpretrain_inception.weights import Opened


def opened(**meta):
    return Opened({}, meta, {}, 'FILE')


def config_text(**changes):
    cfg = Config.fromfile(CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py')
    cfg.merge_from_dict({'model.head.num_classes': 3, **changes})
    return cfg.pretty_text


pytestmark = pytest.mark.usefixtures('narrow')
TEXT = config_text()


def test_a_work_directory_gives_its_best_checkpoint_and_else_its_last(checkpoint, tmp_path):
    shutil.copy(checkpoint, tmp_path / 'epoch_4.pth')
    assert load_model(tmp_path, 'cpu').origin.endswith('epoch_4.pth')
    shutil.copy(checkpoint, tmp_path)
    model = mmpretrain_inception.load_model(str(tmp_path), 'cpu')
    assert model.origin.endswith(checkpoint.name)
    assert model.classes == CLASSES
    assert model.contract == CONTRACT


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('.', r'without checkpoints'),
        ('torchvison', 'expected a work directory, .*; did you mean torchvision\\?\npublished models: .*timm-tf-adv'),
        ('no.pth', r'no\.pth: expected a work directory'),
        ('no.onnx', r'no\.onnx'),
    ],
)
def test_what_is_not_there_is_said(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        load_model(source)


def test_an_older_checkpoint_is_used_by_the_text_of_its_config(model, tmp_path):
    path = write_checkpoint(tmp_path / 'old.pth', meta=dict(cfg=TEXT, dataset_meta=dict(classes=CLASSES)))
    old = load_model(path, 'cpu')
    assert old.classes == CLASSES
    assert old.contract.network['head'] == dict(type='InceptionHead', num_classes=3, in_channels=2048, with_aux=True)
    assert [step['step'] for step in old.contract.preparation] == ['load', 'resize', 'crop']
    again = Model(model.network, old.contract, 'again')
    assert old.predict(picture()).scores.tolist() == again.predict(picture()).scores.tolist()


@pytest.mark.parametrize(
    ('meta', 'message'),
    [
        ({}, 'got weights only;\nuse tools/test.py with a config'),
        ({KEY: ''}, 'without an input contract'),
        ({KEY: '{'}, 'its input contract is damaged'),
        ({KEY: {}}, 'without an input contract'),
        ({KEY: CONTRACT.to_json().replace('InceptionHead', 'os.system')}, 'network is invalid'),
        ({KEY: CONTRACT.to_json().replace('"with_aux"', '"init_cfg"')}, 'network is invalid'),
        ({KEY: CONTRACT.to_json().replace('"short_edge"', '"any"')}, 'preparation is invalid'),
        ({'cfg': 'import os'}, 'line 1 is no setting'),
        ({'cfg': 'model = __import__("os").getcwd()'}, 'line 1 calls something else than dict'),
        ({'cfg': 'model = dict(**other)'}, 'line 1 unpacks a dict'),
        ({'cfg': 'model = ('}, 'the text of its config: '),
        ({'cfg': 'a = ' + '[' * 300 + ']' * 300}, 'the text of its config: '),
        ({'cfg': config_text(**{'model.backbone.type': 'ResNet'})}, r'no rule for model\.backbone\.type=ResNet'),
        ({'cfg': config_text(**{'model.head.type': 'os.system'})}, r'no rule for model\.head\.type=os\.system'),
    ],
    ids=lambda value: None if isinstance(value, str) else str(value)[:60],
)
def test_a_checkpoint_that_does_not_say_how_it_is_used_is_refused(meta, message):
    with pytest.raises(InputError, match=message):
        contract_of(opened(**meta))


@pytest.mark.parametrize('trap', ['trap', 'trap.Trap', 'mmengine.dump', 'mmpretrain.get_model'])
@pytest.mark.parametrize('place', ["'ImageClassifier'", "'mmpretrain_inception.InceptionV3'", "'ResizeEdge'"])
def test_nothing_in_a_checkpoint_is_imported(place, trap, tmp_path, monkeypatch):
    (tmp_path / 'trap.py').write_text('raise SystemExit("executed")')
    monkeypatch.syspath_prepend(tmp_path)
    assert place in TEXT
    with pytest.raises(InputError, match=rf'got weights only \(no rule for .*type={trap}\)'):
        contract_of(opened(cfg=TEXT.replace(place, repr(trap))))


def test_a_contract_for_other_weights_is_refused_before_memory_is_taken(tmp_path):
    document = json.loads(CONTRACT.to_json())
    document['network']['head']['num_classes'] = document['num_classes'] = 10**12
    document['classes'] = None
    path = write_checkpoint(tmp_path / 'large.pth', meta={KEY: json.dumps(document)})
    with pytest.raises(InputError, match=r'head\.fc'):
        load_model(path, 'cpu')


@pytest.mark.parametrize('name', ['torchvision', 'inception-v3_torchvision_in1k'])
def test_a_published_name_is_loaded_with_its_preprocessing(name, monkeypatch):
    seen = []
    with torch.device('meta'):
        network = build_network({**CONTRACT.network, 'head': dict(type='InceptionHead', num_classes=1000)}, None)
    tensors = {name: torch.zeros(tensor.shape) for name, tensor in network.state_dict().items()}
    monkeypatch.setattr(load, 'open_weights', lambda source: seen.append(source) or Opened(tensors, {}, {}, source))
    model = load_model(name, 'cpu')
    assert seen[0].startswith('https://download.pytorch.org/')
    assert len(model.classes) == 1000
    assert model.contract.height == 299


def test_a_converted_checkpoint_is_used_as_its_source(checkpoint, model, tmp_path):
    for name in ('converted.pth', 'converted.safetensors'):
        convert(checkpoint, tmp_path / name)
        converted = load_model(tmp_path / name, 'cpu')
        assert converted.contract == model.contract
        assert converted.predict(picture()).scores.tolist() == model.predict(picture()).scores.tolist()


def test_folding_the_range_changes_what_is_said_of_the_normalisation(tmp_path):
    half = replace(CONTRACT, mean=(127.5,) * 3, std=(127.5,) * 3)
    source = write_checkpoint(tmp_path / 'half.pth', meta={KEY: half.to_json()})
    convert(source, tmp_path / 'folded.pth', fold=True)
    scores = [load_model(tmp_path / name, 'cpu').predict(picture()).scores for name in ('half.pth', 'folded.pth')]
    np.testing.assert_allclose(*scores, atol=1e-5)
    convert(write_checkpoint(tmp_path / 'other.pth'), tmp_path / 'folded.pth', fold=True)
    with pytest.raises(InputError, match='got weights only'):
        load_model(tmp_path / 'folded.pth')
