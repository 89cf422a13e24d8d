from math import log

import pytest
import torch
from mmpretrain.structures import DataSample
from torch import nn
from torch.nn import functional

from mmpretrain_inception import InceptionHead
from mmpretrain_inception.errors import InputError

SMALL = dict(num_classes=3, in_channels=8, aux_in_channels=6, dropout=0.0)
LABELS = (1, 2)
SMOOTHED = dict(type='LabelSmoothLoss', label_smooth_val=0.1)


@pytest.fixture
def feats():
    return torch.randn(2, 6, 5, 5), torch.randn(2, 8)


@pytest.fixture
def make_head(randomise):
    return lambda **options: randomise(InceptionHead(**SMALL | dict(with_aux=True) | options)).train()


def mixed(*scores):
    return [DataSample().set_gt_score(torch.tensor(score)) for score in scores]


def both_logits(head, feats):
    return head(feats), head.AuxLogits(feats[-2])


@torch.no_grad()
def answer_always(linear, scores):
    linear.weight.zero_()
    linear.bias.copy_(torch.tensor(scores).log())


def test_losses_are_named_and_weighted(make_head, feats, labelled):
    head = make_head()
    answer_always(head.fc, [1.0, 2.0, 5.0])
    answer_always(head.AuxLogits.fc, [3.0, 1.0, 1.0])
    losses = head.loss(feats, labelled(*LABELS))
    assert set(losses) == {'loss', 'loss_aux', 'accuracy_top-1'}
    # Probabilities 2/8 and 5/8 of the right class; in the auxiliary classifier 1/5 twice.
    assert losses['loss'].item() == pytest.approx((log(8 / 2) + log(8 / 5)) / 2, rel=1e-6)
    assert losses['loss_aux'].item() == pytest.approx(0.4 * log(5), rel=1e-6)


@pytest.mark.parametrize('weight', [0.1, 1.0])
def test_auxiliary_weight_is_an_option(make_head, feats, labelled, weight):
    head = make_head(aux_weight=weight)
    answer_always(head.AuxLogits.fc, [3.0, 1.0, 1.0])
    assert head.loss(feats, labelled(*LABELS))['loss_aux'].item() == pytest.approx(weight * log(5), rel=1e-6)


def test_label_smoothing_reaches_both_classifiers(make_head, feats, labelled):
    head = make_head(loss=SMOOTHED)
    losses = head.loss(feats, labelled(*LABELS))
    logits, aux_logits = both_logits(head, feats)
    target = torch.tensor(LABELS)
    torch.testing.assert_close(losses['loss'], functional.cross_entropy(logits, target, label_smoothing=0.1))
    torch.testing.assert_close(
        losses['loss_aux'], 0.4 * functional.cross_entropy(aux_logits, target, label_smoothing=0.1)
    )


@pytest.mark.parametrize(('loss', 'smoothing'), [(dict(type='CrossEntropyLoss'), 0.0), (SMOOTHED, 0.1)])
def test_mixed_targets_reach_both_classifiers(make_head, feats, loss, smoothing):
    head = make_head(loss=loss)
    scores = [[0.7, 0.3, 0.0], [0.0, 0.6, 0.4]]
    losses = head.loss(feats, mixed(*scores))
    assert set(losses) == {'loss', 'loss_aux'}
    expected, expected_aux = (
        functional.cross_entropy(logits, torch.tensor(scores), label_smoothing=smoothing)
        for logits in both_logits(head, feats)
    )
    torch.testing.assert_close(losses['loss'], expected)
    torch.testing.assert_close(losses['loss_aux'], 0.4 * expected_aux)


@pytest.mark.parametrize('topk', [2, (2,), [2]])
def test_accuracy_is_logged_for_labels(make_head, feats, labelled, topk):
    head = make_head(topk=topk)
    answer_always(head.fc, [2.0, 1.0, 5.0])
    losses = head.loss(feats, labelled(1, 2))
    assert [name for name in losses if name.startswith('accuracy')] == ['accuracy_top-2']
    assert losses['accuracy_top-2'][0].item() == 50


def test_accuracy_is_logged_at_each_rank(make_head, feats, labelled):
    head = make_head(topk=(1, 2))
    answer_always(head.fc, [2.0, 1.0, 5.0])
    losses = head.loss(feats, labelled(0, 2))
    assert (losses['accuracy_top-1'][0].item(), losses['accuracy_top-2'][0].item()) == (50, 100)


@pytest.mark.parametrize('shift', [-100.0, 100.0])
def test_accuracy_ignores_a_shift_of_all_logits(make_head, feats, labelled, shift):
    # mmpretrain's Accuracy counts scores up to its threshold, zero by default, as wrong; logits may be negative.
    head = make_head(topk=(1, 3))
    answer_always(head.fc, [2.0, 1.0, 5.0])
    with torch.no_grad():
        head.fc.bias.add_(shift)
    losses = head.loss(feats, labelled(0, 2))
    assert (losses['accuracy_top-1'][0].item(), losses['accuracy_top-3'][0].item()) == (50, 100)


@pytest.mark.parametrize(
    ('options', 'names'),
    [
        (dict(with_aux=False), {'loss', 'accuracy_top-1'}),
        (dict(cal_acc=False), {'loss', 'loss_aux'}),
        (dict(with_aux=False, cal_acc=False), {'loss'}),
    ],
)
def test_parts_can_be_left_out(make_head, feats, labelled, options, names):
    assert set(make_head(**options).loss(feats, labelled(*LABELS))) == names


def test_head_without_auxiliary_classifier_has_no_parameters_for_it_and_needs_no_map(make_head, feats, labelled):
    head = make_head(with_aux=False)
    assert set(head.state_dict()) == {'fc.weight', 'fc.bias'}
    loss = head.loss(feats[-1:], labelled(*LABELS))['loss']
    torch.testing.assert_close(loss, functional.cross_entropy(head(feats[-1:]), torch.tensor(LABELS)))


@pytest.mark.parametrize('maps', [(), (torch.randn(2, 6),)], ids=['no map', 'a pooled map'])
def test_auxiliary_classifier_without_its_map_is_refused(make_head, labelled, maps):
    message = r'expected a map of \d+ channels .* got none; .*out_indices=\(3, 4\).*with_aux=False'
    with pytest.raises(InputError, match=message) as caught:
        make_head().loss((*maps, torch.randn(2, 8)), labelled(*LABELS))
    assert str(caught.value).count('\n') < 2


def test_auxiliary_classifier_on_another_stage_is_refused(make_head, labelled):
    with pytest.raises(InputError, match=r'expected a map of \d+ channels .* got 5 channels; set backbone.out_indices'):
        make_head().loss((torch.randn(2, 5, 4, 4), torch.randn(2, 8)), labelled(*LABELS))


def test_auxiliary_classifier_runs_once_in_training_and_never_in_evaluation(make_head, feats, labelled):
    head = make_head()
    calls = []
    head.AuxLogits.register_forward_hook(lambda *_: calls.append(1))
    head.loss(feats, labelled(*LABELS))
    assert len(calls) == 1
    head.eval()
    head.predict(feats, labelled(*LABELS))
    head(feats)
    assert len(calls) == 1


def test_predictions_are_the_main_classifiers(make_head, feats):
    head = make_head().eval()
    samples = head.predict(feats)
    scores = head.fc(feats[-1]).softmax(dim=1)
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in samples]), scores)
    assert [sample.pred_label.item() for sample in samples] == scores.argmax(dim=1).tolist()


@pytest.mark.parametrize(('options', 'probability'), [({}, 0.2), (dict(dropout=0.5), 0.5)])
def test_features_are_dropped_in_training_only(options, probability):
    head = InceptionHead(num_classes=3, in_channels=100_000, **options)
    ones = torch.ones(1, 100_000)
    dropped = head.train().pre_logits((ones,))
    assert (dropped == 0).float().mean().item() == pytest.approx(probability, abs=0.01)
    assert dropped.max().item() == pytest.approx(1 / (1 - probability))
    assert torch.equal(head.eval().pre_logits((ones,)), ones)


@pytest.fixture(scope='module')
def initialised():
    torch.manual_seed(0)
    head = InceptionHead(num_classes=1000, with_aux=True)
    head.init_weights()
    return head


@pytest.mark.parametrize(
    ('layer', 'std'),
    [('fc', 0.01), ('AuxLogits.conv0.conv', 0.1), ('AuxLogits.conv1.conv', 0.01), ('AuxLogits.fc', 0.001)],
)
def test_weights_start_from_a_normal_distribution_truncated_at_two_deviations(initialised, layer, std):
    weight = initialised.get_submodule(layer).weight
    assert weight.std().item() == pytest.approx(0.8796 * std, rel=0.02)
    assert weight.mean().item() == pytest.approx(0, abs=0.02 * std)
    assert 1.99 * std < weight.abs().max().item() <= 2 * std * (1 + 1e-6)


def test_biases_start_from_zero(initialised):
    biases = {n: m.bias for n, m in initialised.named_modules() if isinstance(m, nn.Linear | nn.BatchNorm2d)}
    assert set(biases) == {'fc', 'AuxLogits.fc', 'AuxLogits.conv0.bn', 'AuxLogits.conv1.bn'}
    assert not any(bias.any() for bias in biases.values())


def test_group_norm_reaches_the_auxiliary_classifier(make_head, feats, labelled):
    head = make_head(norm_cfg=dict(type='GN', num_groups=16))
    assert sum(isinstance(m, nn.GroupNorm) for m in head.modules()) == 2
    assert head.loss(feats, labelled(*LABELS))['loss_aux'].isfinite()
