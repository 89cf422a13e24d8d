import emulated_gpu
import pytest
import torch
from emulated_gpu import GPU, NO_GPU, on_gpu
from mmpretrain.models import LinearClsHead, MultiLabelClsHead
from mmpretrain.structures import DataSample

from mmpretrain_inception.models.classifiers.average import average_scores

PREDICTIONS = ([[0.9, 0.1, 0.6], [0.2, 0.3, 0.1]], [[0.5, 0.5, 0.2], [0.4, 0.9, 0.7]])
MEAN = [[0.7, 0.3, 0.4], [0.3, 0.6, 0.4]]


@pytest.mark.parametrize(
    ('head', 'labels'),
    [
        (None, [[0], [1]]),
        (LinearClsHead(3, 4), [[0], [1]]),
        (MultiLabelClsHead(thr=0.4), [[0, 2], [1, 2]]),
        (MultiLabelClsHead(), [[0], [1]]),
        (MultiLabelClsHead(thr=0.8), [[], []]),
        (MultiLabelClsHead(topk=2), [[0, 2], [1, 2]]),
    ],
)
def test_labels_follow_from_the_average_by_the_rule_of_the_head(head, labels):
    views = ([DataSample().set_pred_score(torch.tensor(score)) for score in view] for view in PREDICTIONS)
    found = average_scores(views, head)
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in found]), torch.tensor(MEAN))
    assert [sample.pred_label.tolist() for sample in found] == labels


def average_on_gpu(rank):
    emulated_gpu.start()
    views = ([DataSample().set_pred_score(torch.tensor(score).to(GPU)) for score in view] for view in PREDICTIONS)
    found = average_scores(views)
    return [sample.pred_score.tolist() for sample in found], {str(sample.pred_score.device) for sample in found}


@NO_GPU
def test_scores_are_averaged_where_they_are(tmp_path):
    scores, places = on_gpu(tmp_path, average_on_gpu)
    torch.testing.assert_close(torch.tensor(scores), torch.tensor(MEAN))
    assert places == {'cuda:0'}
