import re

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.registry import DATASETS
from mmpretrain.models.utils.batch_augments import CutMix, Mixup
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from PIL import Image
from sklearn.metrics import average_precision_score, f1_score
from support import CONFIGS

from mmpretrain_inception import InceptionHead
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import TrainOptions
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


def test_a_table_of_several_labels_is_trained_on_and_measured_by_mmpretrains_own(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    labels = ('cat|in', 'dog|in|out', '')
    for index in range(12):
        Image.new('RGB', (80, 75), (20 * index, 0, 0)).save(tmp_path / f'{index}.png')
    rows = ''.join(f'{index}.png,{labels[index % 3]},{"val" if index > 5 else "train"}\n' for index in range(12))
    (tmp_path / 'photos.csv').write_text(f'path,tags,split\n{rows}')
    options = TrainOptions(
        str(CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py'),
        data=str(tmp_path / 'photos.csv'),
        work_dir=str(tmp_path),
    )
    cfg = configure(options).cfg
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor}).eval()
    datasets = [DATASETS.build(cfg[f'{phase}_dataloader'].dataset) for phase in ('train', 'val')]
    torch.manual_seed(0)
    batch = model.data_preprocessor(pseudo_collate([datasets[0][index] for index in range(6)]), training=True)
    assert [sample.gt_label.tolist() for sample in batch['data_samples'][:3]] == [[0, 2], [1, 2, 3], []]
    loss = model(**batch, mode='loss')['loss']
    wanted = torch.tensor([[1.0, 0, 1, 0], [0, 1, 1, 1], [0, 0, 0, 0]] * 2)
    logits = model(batch['inputs'])
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted, reduction='sum') / 6
    torch.testing.assert_close(loss, expected)
    evaluator = Evaluator([{**metric} for metric in cfg.val_evaluator])
    predicted = model.val_step(pseudo_collate([datasets[1][index] for index in range(6)]))
    assert torch.stack([sample.pred_score for sample in predicted]).shape == (6, 4)
    # Of an untrained network scores are equal, which the two libraries order differently.
    scores = torch.rand(6, 4)
    evaluator.process([sample.set_pred_score(score) for sample, score in zip(predicted, scores)])
    metrics = evaluator.evaluate(6)
    average = average_precision_score(wanted.numpy(), scores, average='macro') * 100
    assert metrics['multi-label/mAP'] == pytest.approx(average, abs=1e-3)
    f1 = f1_score(wanted.numpy(), scores >= 0.5, average='macro', zero_division=0) * 100
    assert metrics['multi-label/f1-score'] == pytest.approx(f1, abs=1e-3)
