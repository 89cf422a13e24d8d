from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmpretrain.models.losses import CrossEntropyLoss, LabelSmoothLoss
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from mmpretrain_inception.engine.hooks import ClassWeightHook
from mmpretrain_inception.engine.hooks.class_weight_hook import balanced_weights
from mmpretrain_inception.errors import InputError

LABELS = np.array([0] * 6 + [1] * 3 + [2])


class Images(list):
    def get_data_info(self, index):
        return {} if self[index] is None else dict(gt_label=self[index])


def weigh(loss, labels=LABELS):
    dataset = Images(labels)
    said = []
    runner = SimpleNamespace(
        model=nn.ModuleDict(dict(loss=loss)) if loss else nn.Identity(),
        train_dataloader=SimpleNamespace(dataset=dataset),
        logger=SimpleNamespace(info=said.append),
    )
    ClassWeightHook().before_train(runner)
    return said


def test_the_weights_are_those_of_scikit_learn():
    expected = compute_class_weight('balanced', classes=np.arange(3), y=LABELS)
    np.testing.assert_allclose(balanced_weights(np.bincount(LABELS)), expected, rtol=1e-12)
    assert balanced_weights(np.array([4, 0, 4])).tolist() == [1, 1, 1]


@pytest.mark.parametrize('loss', [CrossEntropyLoss(), LabelSmoothLoss(0.0, num_classes=3)], ids=['plain', 'smoothed'])
def test_each_class_has_the_same_share_of_the_loss(loss):
    said = weigh(loss)
    scores = torch.zeros(len(LABELS), 3)
    each = loss(scores, torch.tensor(LABELS), reduction_override='none')
    shares = [float(each[torch.tensor(label == LABELS)].sum()) for label in range(3)]
    assert shares == pytest.approx([shares[0]] * 3, rel=1e-5)
    assert float(each.mean()) == pytest.approx(np.log(3), rel=1e-5)
    assert said == [
        '--balance: the loss of an image counts 0.556 times in the largest class (6 images) to 3.33 times in the '
        'smallest (1)'
    ]


@pytest.mark.parametrize(
    ('loss', 'labels', 'message'),
    [
        (None, LABELS, 'expected a CrossEntropyLoss or LabelSmoothLoss in model.head, got neither'),
        (CrossEntropyLoss(use_sigmoid=True), LABELS, 'expected one label for each image, but this loss is for several'),
        (CrossEntropyLoss(class_weight=[1, 1, 1]), LABELS, 'model.head.loss.class_weight is set as well'),
        (CrossEntropyLoss(), [[0, 1], [1]], r'expected one label for each image, got \[0, 1\]'),
        (CrossEntropyLoss(), [None], 'expected a dataset with a label for each image, got Images'),
    ],
)
def test_what_cannot_be_balanced(loss, labels, message):
    with pytest.raises(InputError, match=message):
        weigh(loss, labels)
