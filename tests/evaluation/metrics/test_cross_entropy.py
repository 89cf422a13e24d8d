import pytest
import torch

from mmpretrain_inception.registry import METRICS


def test_the_mean_of_the_negative_logarithms_of_the_labels_scores():
    metric = METRICS.build(dict(type='mmpretrain_inception.CrossEntropy'))
    logits, labels = torch.randn(5, 4), torch.tensor([0, 3, 1, 1, 2])
    samples = [dict(pred_score=s, gt_label=label[None]) for s, label in zip(logits.softmax(1), labels)]
    metric.process(None, samples[:2])
    metric.process(None, samples[2:])
    expected = torch.nn.functional.cross_entropy(logits, labels).item()
    assert metric.evaluate(5) == {'single-label/cross_entropy': pytest.approx(expected, rel=1e-6)}


def test_a_score_of_zero_gives_a_finite_loss():
    metric = METRICS.build(dict(type='mmpretrain_inception.CrossEntropy'))
    metric.process(None, [dict(pred_score=torch.tensor([1.0, 0.0]), gt_label=torch.tensor([1]))])
    assert metric.evaluate(1) == {'single-label/cross_entropy': pytest.approx(126 * 0.6931471806, rel=1e-6)}
