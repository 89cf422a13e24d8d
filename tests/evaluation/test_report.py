import json
import pickle

import numpy as np
import pytest
import torch
import yaml
from mmpretrain.evaluation import Accuracy, ConfusionMatrix, SingleLabelMetric
from mmpretrain.structures import DataSample

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.evaluation import write_metrics

READERS = {
    'json': lambda path: json.loads(path.read_text()),
    'yaml': lambda path: yaml.safe_load(path.read_text()),
    'pkl': lambda path: pickle.loads(path.read_bytes()),
}


def results_of(metric, images=3):
    scores = torch.eye(4)[[index % 4 for index in range(images)]]
    samples = [DataSample().set_gt_label(index % 4).set_pred_score(score) for index, score in enumerate(scores)]
    metric.process(None, [sample.to_dict() for sample in samples])
    return metric.evaluate(images)


@pytest.mark.parametrize('ending', READERS)
def test_a_confusion_matrix_is_written_as_lists(tmp_path, ending):
    write_metrics(results_of(ConfusionMatrix(num_classes=4)), tmp_path / f'metrics.{ending}')
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert READERS[ending](tmp_path / f'metrics.{ending}') == {'confusion_matrix/result': expected}


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (np.float32(0.1), 0.1),
        (np.arange(3, dtype=np.float32) / 10, [0.0, 0.1, 0.2]),
        (torch.tensor(100.00000762939453), 100.0),
        (100.00000762939453, 100.0),
        (np.int64(3), 3),
        ([torch.tensor(1), {'a': (np.float64(1 / 3),)}], [1, {'a': [1 / 3]}]),
        (97.1830985915493, 97.1830985915493),
        (16777217, 16777217),
        ('text', 'text'),
        (None, None),
    ],
)
def test_values_become_plain_numbers(tmp_path, value, expected):
    write_metrics({'metric': value}, tmp_path / 'metrics.json')
    assert READERS['json'](tmp_path / 'metrics.json') == {'metric': expected}


@pytest.mark.parametrize('metric', [Accuracy(), SingleLabelMetric(average='micro')], ids=['top-1', 'precision'])
def test_metrics_of_mmpretrain_are_written_without_the_noise_of_float32(tmp_path, metric):
    """41 of 41: in float32 mmpretrain's accuracy is 100.00000762939453."""
    write_metrics(results_of(metric, images=41), tmp_path / 'metrics.json')
    assert set(READERS['json'](tmp_path / 'metrics.json').values()) == {100.0}


def test_a_folder_that_does_not_exist_is_made(tmp_path):
    write_metrics({'accuracy': 1}, tmp_path / 'new/folder/metrics.json')
    assert READERS['json'](tmp_path / 'new/folder/metrics.json') == {'accuracy': 1}


def test_what_cannot_be_written_leaves_the_older_file(tmp_path):
    path = tmp_path / 'metrics.json'
    write_metrics({'accuracy': 1}, path)
    with pytest.raises(TypeError):
        write_metrics({'accuracy': object()}, path)
    assert READERS['json'](path) == {'accuracy': 1}
    (tmp_path / 'folder.json').mkdir()
    with pytest.raises(InputError, match='cannot be written'):
        write_metrics({'accuracy': 1}, tmp_path / 'folder.json')
