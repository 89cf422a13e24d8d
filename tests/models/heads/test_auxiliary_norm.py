import pytest
import torch
from torch import nn
from torch.nn import functional

from mmpretrain_inception import InceptionHead
from mmpretrain_inception.models.heads.inception_head import InceptionAux


def test_without_norm_the_fully_connected_layer_of_the_auxiliary_classifier_has_a_bias_instead(randomise):
    aux = randomise(InceptionAux(6, num_classes=3, fc_norm=False).double()).eval()
    x = torch.rand(2, 6, 17, 17, dtype=torch.float64)
    map_5x5 = aux.conv0(functional.avg_pool2d(x, 5, stride=3))
    weight, bias = aux.conv1.conv.weight.flatten(1), aux.conv1.conv.bias
    hidden = functional.relu(map_5x5.flatten(1) @ weight.T + bias)
    torch.testing.assert_close(aux(x), aux.fc(hidden), rtol=1e-12, atol=1e-12)


def test_only_the_fully_connected_layer_loses_its_norm():
    names = {n: set(InceptionHead(3, with_aux=True, aux_fc_norm=n).state_dict()) for n in (True, False)}
    assert names[False] - names[True] == {'AuxLogits.conv1.conv.bias'}
    assert {name.rpartition('.')[0] for name in names[True] - names[False]} == {'AuxLogits.conv1.bn'}


def test_the_layer_without_norm_starts_as_the_one_with_it_and_from_no_bias():
    head = InceptionHead(1000, with_aux=True, aux_fc_norm=False)
    head.init_weights()
    conv = head.AuxLogits.conv1.conv
    assert conv.weight.std().item() == pytest.approx(0.8796 * 0.01, rel=0.02)
    assert not conv.bias.any()


def test_the_layer_without_norm_trains(labelled, without_gradient):
    head = InceptionHead(3, in_channels=8, aux_in_channels=6, with_aux=True, aux_fc_norm=False)
    losses = head.loss((torch.randn(2, 6, 5, 5), torch.randn(2, 8)), labelled(1, 2))
    (losses['loss'] + losses['loss_aux']).backward()
    assert without_gradient(head) == []
    assert sum(isinstance(m, nn.BatchNorm2d) for m in head.modules()) == 1
