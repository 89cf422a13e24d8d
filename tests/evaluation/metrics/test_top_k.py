import pytest
import torch
from mmengine import METRICS as MMENGINE_METRICS
from mmengine.registry import Registry
from mmpretrain.registry import METRICS
from mmpretrain.structures import DataSample

from mmpretrain_inception import InceptionHead
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.evaluation import TopKAccuracy
from mmpretrain_inception.models.heads.ranks import clamp_topk

SCORES = [[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.1, 0.3, 0.6]]
LABELS = [0, 1, 2, 2]


def evaluate(metric):
    samples = [DataSample().set_gt_label(label).set_pred_score(torch.tensor(s)) for label, s in zip(LABELS, SCORES)]
    metric.process(None, [sample.to_dict() for sample in samples])
    return metric.evaluate(len(samples))


def metric_at(topk):
    return METRICS.build(dict(type='mmpretrain_inception.TopKAccuracy', topk=topk))


@pytest.mark.parametrize(
    ('topk', 'num_classes', 'expected'),
    [
        (1, 3, (1,)), (5, 3, (3,)), ((1, 5), 3, (1, 3)), ([1, 5], 2, (1, 2)), ((1, 3, 5), 3, (1, 3)),
        ((1, 5), 5, (1, 5)), ((5, 1), 1000, (5, 1)),
    ],
)  # fmt: skip
def test_ranks_beyond_the_classes_become_their_number(notes_logged, topk, num_classes, expected):
    assert clamp_topk(topk, num_classes) == expected
    assert len(notes_logged) == (max(torch.tensor(topk).view(-1).tolist()) > num_classes)


@pytest.mark.parametrize('topk', ['abc', '5', 0, -1, 1.5, (), (1, 'b'), (1, 0), True])
@pytest.mark.parametrize('build', [metric_at, lambda topk: InceptionHead(num_classes=3, in_channels=8, topk=topk)])
def test_ranks_that_are_no_whole_numbers_are_refused(build, topk):
    with pytest.raises(InputError, match='topk: expected whole numbers of at least 1, got'):
        build(topk)


def test_head_and_metrics_say_so_once_between_them(notes_logged, labelled):
    head = InceptionHead(num_classes=3, in_channels=8, topk=(1, 5))
    losses = head.loss((torch.randn(2, 8),), labelled(0, 1))
    assert losses['accuracy_top-3'][0].item() == 100
    assert 'accuracy_top-5' not in losses
    for _ in range(2):
        metric = metric_at((1, 5))
        # An epoch each: the second one starts from the clamped ranks.
        assert evaluate(metric) == evaluate(metric)
    assert len(notes_logged) == 1
    assert 'top-5' in notes_logged[0]
    assert '3 classes' in notes_logged[0]
    assert 'top-3' in notes_logged[0]


# Unlike the backbone, the metric is no attribute of the package, by which mmengine would find it without a registry.
@pytest.mark.parametrize('scope', ['mmengine', 'mmpretrain', 'another_project'])
def test_metric_builds_from_every_registry(scope):
    registries = {'mmengine': MMENGINE_METRICS, 'mmpretrain': METRICS}
    registry = registries.get(scope) or Registry('metric', parent=MMENGINE_METRICS, scope=scope)
    metric = registry.build(dict(type='mmpretrain_inception.TopKAccuracy', topk=2))
    MMENGINE_METRICS.children.pop('another_project', None)
    assert type(metric) is TopKAccuracy
    assert metric.topk == (2,)


def test_metric_reports_the_ranks_that_exist(notes_logged):
    assert evaluate(metric_at((1, 5))) == pytest.approx({'accuracy/top1': 50.0, 'accuracy/top3': 100.0})


def test_metric_leaves_ranks_that_exist_alone(notes_logged):
    assert evaluate(metric_at((1, 2))) == pytest.approx({'accuracy/top1': 50.0, 'accuracy/top2': 75.0})
    assert notes_logged == []


def test_metric_takes_labels_without_scores(notes_logged):
    metric = metric_at((1, 5))
    samples = [DataSample().set_gt_label(label).set_pred_label(0) for label in LABELS]
    metric.process(None, [sample.to_dict() for sample in samples])
    assert metric.evaluate(len(samples)) == pytest.approx({'accuracy/top1': 25.0})
    assert notes_logged == []


def test_a_score_that_is_rounded_to_zero_counts_by_its_rank():
    metric = TopKAccuracy(topk=(1, 2))
    metric.process(None, [dict(pred_score=torch.tensor([1.0, 0.0]), gt_label=torch.tensor([1]))])
    assert metric.evaluate(1) == {'accuracy/top1': 0.0, 'accuracy/top2': 100.0}


@pytest.mark.parametrize('images', [1, 3, 7, 41, 355, 1000, 4321])
@pytest.mark.parametrize('wrong', [0, 1])
def test_percentages_are_exact(images, wrong):
    metric = metric_at((1, 4))
    scores = torch.eye(4)[[index % 4 for index in range(images)]]
    samples = [DataSample().set_gt_label(index % 4).set_pred_score(score) for index, score in enumerate(scores)]
    if wrong:
        samples[0].set_gt_label(3)
    metric.process(None, [sample.to_dict() for sample in samples])
    assert metric.evaluate(images) == {'accuracy/top1': 100 * (images - wrong) / images, 'accuracy/top4': 100.0}


def test_labels_without_scores_give_top_1():
    metric = metric_at(1)
    samples = [DataSample().set_gt_label(label).set_pred_label(0) for label in (0, 1, 2)]
    metric.process(None, [sample.to_dict() for sample in samples])
    assert metric.evaluate(3) == {'accuracy/top1': 100 / 3}


def test_several_thresholds_are_reported_under_mmpretrains_names():
    metric, reference = (
        METRICS.build(dict(type=kind, topk=(1, 2), thrs=(0.0, 0.5, None)))
        for kind in ('mmpretrain_inception.TopKAccuracy', 'Accuracy')
    )
    assert evaluate(metric) == pytest.approx(evaluate(reference))
