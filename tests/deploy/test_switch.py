import re
import runpy
import sys
from copy import deepcopy
from pathlib import Path

import mmpretrain
import pytest
import torch
from mmengine.config import Config
from mmpretrain.models import AverageClsScoreTTA
from mmpretrain.registry import MODELS
from torch import nn

from mmpretrain_inception.deploy import switch_to_deploy
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.backbones.blocks import BasicConv2d
from mmpretrain_inception.weights import Opened, compare, load

REPARAMETERIZE = Path(mmpretrain.__file__).parent / '.mim/tools/model_converters/reparameterize_model.py'
REPVGG = dict(
    type='ImageClassifier',
    backbone=dict(type='RepVGG', arch='A0'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=1280),
)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture
def classifier(make_classifier, randomise):
    return randomise(make_classifier()).eval()


def logits(model, images):
    with torch.no_grad():
        return model(images, mode='tensor')


@pytest.mark.parametrize(('dtype', 'tolerance'), [(torch.float64, 1e-9), (torch.float32, 1e-5)], ids=str)
def test_the_logits_stay_the_same_up_to_rounding(classifier, dtype, tolerance):
    model, images = classifier.to(dtype), torch.randn(2, 3, 75, 75, dtype=dtype)
    expected = logits(model, images)
    found = logits(switch_to_deploy(model), images)
    assert (found - expected).abs().max() < tolerance * expected.abs().max()
    assert not torch.equal(found, expected)


def test_bfloat16_agrees_with_float32_within_its_rounding(classifier):
    images = torch.randn(4, 3, 75, 75)
    expected = logits(classifier, images)
    with torch.autocast('cpu', torch.bfloat16):
        found = logits(switch_to_deploy(classifier), images)
    # A bfloat16 holds 8 bits; the error of the network's 47 layers stays at a few units of the last.
    assert (found - expected).abs().max() < 0.03 * expected.abs().max()
    assert (found - expected).abs().max() > 1e-5 * expected.abs().max()


def test_what_is_left_are_convolutions_with_a_bias_and_the_classifier(classifier):
    assert switch_to_deploy(classifier.train()) is classifier
    assert not classifier.training
    assert len(classifier.backbone.state_dict()) == 2 * 94
    assert all(re.search(r'conv\.(weight|bias)$', name) for name in classifier.backbone.state_dict())
    assert [name for name in classifier.state_dict() if not name.startswith('backbone.')] == [
        'head.fc.weight',
        'head.fc.bias',
    ]
    assert all(parameter.requires_grad for parameter in classifier.parameters())


def test_a_second_switch_changes_nothing(classifier):
    once = deepcopy(switch_to_deploy(classifier).state_dict())
    torch.testing.assert_close(switch_to_deploy(classifier).state_dict(), once, rtol=0, atol=0)
    classifier.backbone.switch_to_deploy()
    torch.testing.assert_close(classifier.state_dict(), once, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('norm_cfg', 'folds'),
    [
        (dict(type='BN'), True),
        (dict(type='SyncBN'), True),
        (dict(type='BN', affine=False), True),
        (dict(type='BN', requires_grad=False), True),
        (dict(type='BN', eps=0.5), True),
        (dict(type='BN', track_running_stats=False), False),
        (dict(type='GN', num_groups=2), False),
        (dict(type='IN2d'), False),
        (None, False),
    ],
    ids=str,
)
def test_batch_norm_with_statistics_is_folded_and_nothing_else(norm_cfg, folds):
    unit = BasicConv2d(3, 4, 3, norm_cfg=norm_cfg).double()
    for tensor in unit.state_dict().values():
        tensor.copy_(torch.rand(tensor.shape) + 0.5)
    unit.eval()
    images = torch.randn(2, 3, 9, 9, dtype=torch.double)
    before, expected = type(unit.bn), unit(images)
    unit.switch_to_deploy()
    assert type(unit.bn) is (nn.Identity if folds else before)
    torch.testing.assert_close(unit(images), expected, rtol=1e-12, atol=1e-12)
    if folds:
        assert unit.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_frozen_stages_stay_frozen(make_classifier):
    backbone = switch_to_deploy(make_classifier(backbone=dict(frozen_stages=0))).backbone.train()
    assert not backbone.Conv2d_2b_3x3.conv.bias.requires_grad
    assert backbone.Conv2d_3b_1x1.conv.bias.requires_grad


@pytest.mark.parametrize('wrap', [AverageClsScoreTTA, nn.ModuleList], ids=['tta', 'list'])
def test_wrapped_classifiers_are_switched(classifier, wrap):
    wrapped = switch_to_deploy(wrap([classifier]) if wrap is nn.ModuleList else wrap(classifier))
    assert classifier.backbone.deploy
    assert not any(isinstance(module, nn.BatchNorm2d) for module in wrapped.modules())


def test_every_member_of_an_ensemble_is_switched():
    member = dict(
        type='ImageClassifier',
        backbone=dict(type='mmpretrain_inception.InceptionV3'),
        neck=dict(type='mmpretrain_inception.InceptionNeck'),
        head=dict(type='mmpretrain_inception.InceptionHead', num_classes=10),
    )
    members = [dict(model=member), dict(model=REPVGG), dict(model=member)]
    ensemble = MODELS.build(dict(type='mmpretrain_inception.EnsembleClassifier', members=members))
    switch_to_deploy(ensemble)
    assert [model.backbone.deploy for model in ensemble.members] == [True] * 3
    assert not any(isinstance(module, nn.BatchNorm2d) for module in ensemble.modules())


def test_models_of_mmpretrain_are_switched_as_mmpretrain_does(randomise):
    model = randomise(MODELS.build(REPVGG)).double().eval()
    images = torch.randn(2, 3, 64, 64, dtype=torch.double)
    expected = logits(model, images)
    for _ in range(2):
        torch.testing.assert_close(logits(switch_to_deploy(model), images), expected, rtol=1e-9, atol=1e-9)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


def test_a_model_without_a_deploy_form_is_left_as_it_is():
    model = MODELS.build(dict(type='ResNet', depth=18))
    assert list(switch_to_deploy(model).state_dict()) == list(MODELS.build(dict(type='ResNet', depth=18)).state_dict())


def test_mmpretrains_tool_writes_a_checkpoint_that_fills_a_model_built_with_deploy(
    classifier, make_classifier, tmp_path, monkeypatch
):
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='mmpretrain_inception.InceptionV3', out_indices=(3, 4)),
        neck=dict(type='mmpretrain_inception.InceptionNeck'),
        head=dict(type='mmpretrain_inception.InceptionHead', num_classes=10, with_aux=True),
    )
    Config(dict(model=model)).dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=classifier.state_dict(), meta=dict(epoch=3)), tmp_path / 'in.pth')
    files = [str(tmp_path / name) for name in ('config.py', 'in.pth', 'out.pth')]
    monkeypatch.setattr(sys, 'argv', ['reparameterize_model.py', *files])
    runpy.run_path(str(REPARAMETERIZE), run_name='__main__')

    images = torch.randn(2, 3, 75, 75)
    state_dict = torch.load(files[2], weights_only=True)['state_dict']
    deployed = make_classifier(backbone=dict(deploy=True)).eval()
    fit = load(state_dict, deployed)
    assert (fit.left_at_init, fit.notes) == ((), ())
    deployed.load_state_dict(fit.state_dict)
    expected = logits(classifier, images)
    assert (logits(deployed, images) - expected).abs().max() < 1e-5 * expected.abs().max()
    # mmpretrain's way, through the names that its classifier asks the backbone to mend.
    again = mmpretrain.get_model(
        Config(dict(model={**model, 'backbone': dict(model['backbone'], deploy=True)})), files[2]
    )
    torch.testing.assert_close(again.state_dict(), deployed.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ('file_deployed', 'model_deployed', 'remedy'),
    [
        (True, False, 'the file is in deploy form; set model.backbone.deploy=True'),
        (False, True, 'the model is in deploy form; remove model.backbone.deploy=True'),
    ],
)
def test_a_file_of_the_other_form_is_refused_with_the_remedy(make_classifier, file_deployed, model_deployed, remedy):
    file, model = (
        make_classifier(backbone=dict(deploy=deployed), head=dict(with_aux=False))
        for deployed in (file_deployed, model_deployed)
    )
    with pytest.raises(InputError, match=rf'does not fill the model; .*\n{re.escape(remedy)}$'):
        load(Opened(file.state_dict(), {}, {}, 'a.pth'), model)


def test_the_bare_backbone_loads_its_deploy_form(make_classifier):
    deployed = make_classifier(backbone=dict(deploy=True)).backbone
    other = make_classifier(backbone=dict(deploy=True)).backbone
    other.load_state_dict(deployed.state_dict())
    assert not any(compare(deployed.state_dict(), other.state_dict()))
    torch.testing.assert_close(other.state_dict(), deployed.state_dict(), rtol=0, atol=0)
