from copy import deepcopy

import emulated_gpu
import numpy as np
import pytest
import torch
from emulated_gpu import GPU, NO_GPU, on_gpu
from mmengine.registry import MODELS
from mmpretrain.models import MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import nn

from mmpretrain_inception.deploy import Contract, export_model
from mmpretrain_inception.deploy.exported_classifier import ExportedClassifier
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.evaluation.metrics import CrossEntropy

pytestmark = pytest.mark.usefixtures('narrow')

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
PREPROCESSOR = dict(mean=MEAN, std=STD, to_rgb=True, num_classes=4)


@pytest.fixture(scope='module')
def classifier(make_classifier, randomise):
    torch.manual_seed(0)
    return randomise(make_classifier(4)).eval()


@pytest.fixture(scope='module')
def files(classifier, tmp_path_factory):
    """The classifier as two files, by whether they normalise."""
    folder = tmp_path_factory.mktemp('files')
    for raw in (False, True):
        contract = Contract(num_classes=4, height=75, width=75, mean=MEAN, std=STD, with_preprocess=raw)
        export_model(classifier, folder / f'{raw}.pt2', to='torch', contract=contract)
    return {raw: str(folder / f'{raw}.pt2') for raw in (False, True)}


def batch(as_list=False):
    images = torch.randint(0, 256, (3, 3, 75, 75), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    samples = [DataSample().set_gt_label(label) for label in (0, 3, 1)]
    return dict(inputs=list(images) if as_list else images, data_samples=samples)


@pytest.mark.parametrize('as_list', [False, True])
@pytest.mark.parametrize('raw', [False, True])
def test_predictions_are_those_of_the_model(classifier, files, raw, as_list):
    exported = MODELS.build(
        dict(
            type='mmpretrain_inception.ExportedClassifier',
            path=files[raw],
            data_preprocessor=deepcopy(PREPROCESSOR),
            threads=1,
        )
    )
    model = deepcopy(classifier)
    model.data_preprocessor = preprocessor()
    found, expected = (each.test_step(batch(as_list)) for each in (exported, model))
    for one, other in zip(found, expected):
        torch.testing.assert_close(one.pred_score, other.pred_score, rtol=1e-4, atol=1e-6)
        assert torch.equal(one.pred_label, other.pred_label)
        assert torch.equal(one.gt_label, other.gt_label)
    assert torch.stack([one.pred_score for one in found]).std(0).max() > 1e-3


def preprocessor():
    return MODELS.build(dict(type='mmpretrain.ClsDataPreprocessor', **PREPROCESSOR))


def test_logits_and_images_without_annotations(files):
    exported = ExportedClassifier(files[True], threads=1)
    images = torch.from_numpy(np.zeros((2, 75, 75, 3), np.uint8))
    logits = exported(images, mode='tensor')
    assert logits.shape == (2, 4)
    predicted = exported(images)
    torch.testing.assert_close(predicted[1].pred_score, logits[1].softmax(0))


def test_it_does_not_train(files):
    with pytest.raises(InputError, match="expected mode predict or tensor, got 'loss'"):
        ExportedClassifier(files[True], threads=1)(torch.zeros(1), mode='loss')


@pytest.fixture
def described(tmp_path):
    """Export a small network whose contract says how its logits become scores."""

    def write(**scores):
        torch.manual_seed(0)
        model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
        path = tmp_path / 'm.pt2'
        export_model(model, path, to='torch', contract=Contract(num_classes=4, height=8, width=8, **scores))
        return str(path)

    return write


@pytest.mark.parametrize('chosen', [dict(threshold=0.5), dict(threshold=0.45), dict(topk=2), dict(topk=3)], ids=str)
def test_several_labels_are_chosen_as_by_mmpretrains_head(described, chosen):
    exported = ExportedClassifier(described(activation='sigmoid', **chosen), threads=1)
    images = torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 20
    head = MultiLabelClsHead(thr=chosen.get('threshold'), topk=chosen.get('topk'))
    expected = head.predict((exported(images, mode='tensor'),))
    found = exported(images)
    assert len({len(sample.pred_label) for sample in found}) > (0 if 'topk' in chosen else 1)
    for one, other in zip(found, expected):
        assert torch.equal(one.pred_score, other.pred_score)
        assert torch.equal(one.pred_label, other.pred_label)
    assert all(sample.pred_score.sum() != pytest.approx(1) for sample in found)


def test_logits_that_nothing_is_known_of_are_no_predictions(described):
    with pytest.raises(InputError, match=r'm\.pt2: expected activation softmax or sigmoid in its contract, got null'):
        ExportedClassifier(described(activation=None), threads=1)


def cross_entropy_on_gpu(rank, path):
    emulated_gpu.start()
    exported = ExportedClassifier(path, data_preprocessor=dict(num_classes=4), threads=1).to(GPU)
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    samples = exported.test_step(
        dict(inputs=images, data_samples=[DataSample().set_gt_label(label) for label in (1, 3)])
    )
    metric = CrossEntropy()
    metric.process(None, [sample.to_dict() for sample in samples])
    scores = torch.stack([sample.pred_score for sample in samples])
    return str(scores.device), scores.tolist(), metric.compute_metrics(metric.results)['cross_entropy']


@NO_GPU
def test_scores_are_where_the_annotations_are_on_a_gpu_too(described, tmp_path):
    place, scores, found = on_gpu(tmp_path, cross_entropy_on_gpu, described())
    assert place == 'cuda:0'
    assert found == pytest.approx(-np.log([scores[0][1], scores[1][3]]).mean(), rel=1e-6)
