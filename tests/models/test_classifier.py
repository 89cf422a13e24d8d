"""The parts together, inside mmpretrain's classifier, a stranger's head and a feature pyramid."""

from math import log

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from mmpretrain_inception import InceptionV3

WITHOUT_AUX = dict(backbone=dict(out_indices=(4,)), head=dict(with_aux=False))


def parameter_count(model):
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(('options', 'count'), [(WITHOUT_AUX, 23_834_568), ({}, 27_161_264)], ids=['main', 'aux'])
def test_parameters_at_1000_classes_are_the_published_number(make_classifier, options, count):
    assert parameter_count(make_classifier(1000, **options)) == count


@pytest.mark.parametrize(('height', 'width'), [(75, 75), (75, 120), (139, 80)])
def test_every_parameter_gets_a_gradient(make_classifier, randomise, labelled, without_gradient, height, width):
    model = randomise(make_classifier()).train()
    losses = model(torch.randn(2, 3, height, width), labelled(3, 7), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert without_gradient(model) == []


def test_first_losses_are_those_of_a_uniform_guess(make_classifier, labelled):
    model = make_classifier(1000)
    model.init_weights()
    losses = model.train()(torch.randn(4, 3, 75, 75), labelled(0, 1, 500, 999), mode='loss')
    assert losses['loss'].item() == pytest.approx(log(1000), abs=0.3)
    assert losses['loss_aux'].item() / 0.4 == pytest.approx(log(1000), abs=0.3)


def test_both_losses_are_trained(make_classifier, labelled):
    model = make_classifier().train()
    losses = model(torch.randn(2, 3, 75, 75), labelled(3, 7), mode='loss')
    total, logged = model.parse_losses(losses)
    assert total.item() == pytest.approx((losses['loss'] + losses['loss_aux']).item())
    assert set(logged) == {'loss', 'loss_aux', 'accuracy_top-1'}


@pytest.mark.parametrize('mode', ['predict', 'tensor'])
def test_auxiliary_classifier_does_not_run_in_evaluation(make_classifier, labelled, mode):
    model = make_classifier().eval()
    calls = []
    model.head.AuxLogits.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        outputs = model(torch.randn(2, 3, 75, 75), labelled(3, 7), mode=mode)
    assert len(outputs) == 2
    assert calls == []


@pytest.fixture
def one_process_group(tmp_path):
    distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


class TotalLoss(nn.Module):
    def __init__(self, model, names):
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, images, samples):
        losses = self.model(images, samples, mode='loss')
        return sum(losses[name] for name in self.names)


def train_two_steps(wrapped, samples):
    for _ in range(2):
        wrapped(torch.randn(2, 3, 75, 75), samples).backward()


@pytest.mark.usefixtures('one_process_group')
@pytest.mark.parametrize(
    ('options', 'names'),
    [
        ({}, ['loss', 'loss_aux']),
        (WITHOUT_AUX, ['loss']),
        (dict(backbone=dict(frozen_stages=2)), ['loss', 'loss_aux']),
        (dict(backbone=dict(with_cp=True)), ['loss', 'loss_aux']),
    ],
    ids=['aux', 'main', 'frozen', 'checkpointed'],
)
def test_distributed_training_finds_no_unused_parameter(make_classifier, labelled, options, names):
    train_two_steps(DistributedDataParallel(TotalLoss(make_classifier(**options), names)), labelled(3, 7))


@pytest.mark.usefixtures('one_process_group')
def test_distributed_training_would_find_an_unused_parameter(make_classifier, labelled):
    # What the test above rests on: a classifier whose loss is left out is noticed at the second step.
    wrapped = DistributedDataParallel(TotalLoss(make_classifier(), ['loss']))
    with pytest.raises(RuntimeError, match='Expected to have finished reduction'):
        train_two_steps(wrapped, labelled(3, 7))


@pytest.fixture
def multi_label(make_classifier):
    model = make_classifier(**WITHOUT_AUX)
    model.head = MODELS.build(dict(type='MultiLabelLinearClsHead', num_classes=5, in_channels=2048, thr=0.5))
    return model


@pytest.fixture
def tagged():
    return [DataSample().set_gt_label([0, 3]), DataSample().set_gt_label([2])]


def test_mmpretrains_multi_label_head_trains_over_our_neck(multi_label, tagged, without_gradient):
    logits = []
    multi_label.head.register_forward_hook(lambda *args: logits.append(args[-1]))
    losses = multi_label.train()(torch.randn(2, 3, 75, 75), tagged, mode='loss')
    targets = torch.tensor([[1.0, 0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0, 0.0]])
    expected = functional.binary_cross_entropy_with_logits(logits[0], targets, reduction='sum') / 2
    torch.testing.assert_close(losses['loss'], expected)
    losses['loss'].backward()
    assert without_gradient(multi_label) == []


def test_mmpretrains_multi_label_head_predicts_over_our_neck(multi_label, tagged):
    images = torch.randn(2, 3, 75, 75)
    with torch.no_grad():
        samples = multi_label.eval()(images, tagged, mode='predict')
        scores = multi_label(images, mode='tensor').sigmoid()
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in samples]), scores)
    assert [sample.pred_label.tolist() for sample in samples] == [(s >= 0.5).nonzero()[:, 0].tolist() for s in scores]


class FeaturePyramid(nn.Module):
    """The smallest pyramid (arXiv:1612.03144), built from what the backbone publishes alone."""

    def __init__(self, stages, channels):
        super().__init__()
        self.laterals = nn.ModuleList(nn.Conv2d(stage.channels, channels, 1) for stage in stages)
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1) for _ in stages)

    def forward(self, maps):
        levels = [lateral(m) for lateral, m in zip(self.laterals, maps)]
        for i in reversed(range(len(levels) - 1)):
            levels[i] = levels[i] + functional.interpolate(levels[i + 1], size=levels[i].shape[-2:])
        return [smooth(level) for smooth, level in zip(self.smooth, levels)]


def test_feature_pyramid_trains_over_four_stages(without_gradient):
    backbone = InceptionV3(out_indices=(1, 2, 3, 4))
    pyramid = FeaturePyramid([InceptionV3.stages[i] for i in backbone.out_indices], channels=16)
    levels = pyramid(backbone(torch.randn(2, 3, 107, 139)))
    assert [tuple(level.shape) for level in levels] == [(2, 16, 23, 31), (2, 16, 11, 15), (2, 16, 5, 7), (2, 16, 2, 3)]
    sum(level.square().mean() for level in levels).backward()
    assert without_gradient(backbone) == []
    assert without_gradient(pyramid) == []
