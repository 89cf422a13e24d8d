import re

import pytest
import torch
from mmpretrain.models.utils.batch_augments import CutMix, Mixup
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmpretrain_inception import InceptionHead
from mmpretrain_inception.errors import InputError


def features(count):
    torch.manual_seed(0)
    return (torch.randn(count, 2048),)


def samples(*labels):
    return [DataSample().set_gt_label(label) for label in labels]


@pytest.mark.parametrize(
    ('labels', 'named'),
    [
        # As many labels as images: without the check it trains on as if each image had one.
        ([[0, 2], []], [0, 2]),
        ([[], [0, 2]], []),
        ([[0], [1, 2], []], [1, 2]),
        ([[0, 2], [1]], [0, 2]),
        ([[], []], []),
    ],
)
@pytest.mark.parametrize('call', ['loss', 'predict'])
def test_several_labels_or_none_are_refused_with_the_head_for_them(labels, named, call):
    head = InceptionHead(3)
    message = rf"one label for each image, got {re.escape(str(named))}; .*type='MultiLabelLinearClsHead'"
    with pytest.raises(InputError, match=message):
        getattr(head, call)(features(len(labels)), samples(*labels))


def test_single_labels_in_any_form_and_samples_without_labels_pass():
    head = InceptionHead(3).eval()
    feats = features(3)
    losses = head.loss(feats, samples(0, [2], torch.tensor([1])))
    expected = torch.nn.functional.cross_entropy(head.fc(feats[0]), torch.tensor([0, 2, 1]))
    torch.testing.assert_close(losses['loss'], expected)
    for data_samples in (None, [None, None, None], [DataSample() for _ in range(3)], samples(0, [2], 1)):
        assert [sample.pred_score.argmax() for sample in head.predict(feats, data_samples)] == head.fc(feats[0]).argmax(
            1
        ).tolist()


@pytest.mark.parametrize('augment', [Mixup(alpha=0.8), CutMix(alpha=1.0)])
def test_mixed_images_are_trained_on_by_their_scores(augment):
    head = InceptionHead(3).eval()
    _, scores = augment.mix(torch.zeros(4, 3, 8, 8), torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 0]), 3).float())
    mixed = [sample.set_gt_score(score) for sample, score in zip(samples(0, 1, 2, 0), scores)]
    feats = features(4)
    loss = head.loss(feats, mixed)['loss']
    expected = -(scores * head.fc(feats[0]).log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(loss, expected)


def test_the_head_that_the_message_names_trains_on_several_labels_over_our_neck():
    parts = dict(
        type='ImageClassifier',
        backbone=dict(type='mmpretrain_inception.InceptionV3', out_indices=(4,)),
        neck=dict(type='mmpretrain_inception.InceptionNeck'),
        head=dict(type='MultiLabelLinearClsHead', num_classes=3, in_channels=2048),
    )
    torch.manual_seed(0)
    model = MODELS.build(parts).eval()
    inputs, annotated = torch.randn(2, 3, 75, 75), samples([0, 2], [])
    loss = model(inputs, annotated, mode='loss')['loss']
    logits = model(inputs)
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    # mmpretrain divides by the number of images.
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction='sum') / 2
    torch.testing.assert_close(loss, expected)
    predicted = model(inputs, annotated, mode='predict')
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in predicted]), logits.sigmoid())
