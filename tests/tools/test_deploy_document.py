"""The snippets of docs/deploy.md as they stand, and exported models of several labels, against tools/test.py."""

import json
import pickle
import re
import sys
from functools import cache

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from narrow import thinner
from sklearn.datasets import load_sample_images
from support import CONFIGS, code_blocks, run_tool

CLASSES = ('ant', 'bee', 'cat', 'dog')
SHAPES = [(120, 91), (91, 120), (200, 83), (160, 427), (300, 110)]
PREPARE, ONNX, OPENVINO = code_blocks('docs/deploy.md')
# Folder data at 75 px, resized by OpenCV without antialiasing or by Pillow with it.
CONFIG = f"""
_base_ = '{CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py'}'
test_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='ResizeEdge', scale=86, {{resize}}),
    dict(type='CenterCrop', crop_size=75), dict(type='PackInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
LABELS = """
_base_ = '{base}'
custom_hooks = []
model = dict(backbone=dict(out_indices=(4,)), head=dict(
    _delete_=True, type='MultiLabelLinearClsHead', num_classes=4, in_channels={channels}, {decision}))
data_preprocessor = dict(num_classes=4)
test_dataloader = dict(dataset=dict(
    _delete_=True, type='MultiLabelDataset', data_root='images', ann_file='labels.json',
    metainfo=dict(classes=('ant', 'bee', 'cat', 'dog')), pipeline={{{{_base_.test_pipeline}}}}))
test_evaluator = [dict(type='AveragePrecision'), dict(type='MultiLabelMetric', {decision}),
                  dict(type='MultiLabelMetric', prefix='default')]
"""

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow'), pytest.mark.xdist_group('deploy_document')]


@pytest.fixture(scope='module')
def folder(tmp_path_factory, randomise):
    """Parts of photographs that are not square, checkpoints of random weights, and prepare.py."""
    folder = tmp_path_factory.mktemp('document')
    photographs = load_sample_images().images
    labels = []
    for split in ('train', 'val'):
        for label, name in enumerate(CLASSES):
            (folder / 'images' / split / name).mkdir(parents=True)
            for index in (label, label + 1):
                height, width = SHAPES[index]
                left, top = 30 * label, 20 * index
                part = photographs[index % 2][top : top + height, left : left + width, ::-1]
                path = f'{split}/{name}/{index}.jpg'
                cv2.imwrite(str(folder / 'images' / path), part)
                labels.append(dict(img_path=path, gt_label=sorted({label, index % 4})))
    metainfo = dict(classes=list(CLASSES))
    (folder / 'images/labels.json').write_text(json.dumps(dict(metainfo=metainfo, data_list=labels[8:])))
    for name, resize in (('cv2', "interpolation='bilinear'"), ('pillow', "backend='pillow', interpolation='bicubic'")):
        (folder / f'{name}.py').write_text(CONFIG.format(resize=resize))
    (folder / 'thr.py').write_text(LABELS.format(base=DIGITS, channels=thinner(2048), decision='thr=0.52'))
    (folder / 'topk.py').write_text(LABELS.format(base=DIGITS, channels=thinner(2048), decision='topk=2'))
    (folder / 'prepare.py').write_text(PREPARE)
    cfg = Config.fromfile(folder / 'cv2.py')
    cfg.model.head.num_classes = 4
    torch.manual_seed(0)
    model = randomise(MODELS.build(cfg.model))
    # Logits around zero, so that neither all nor none of the labels are chosen.
    model.head.fc.weight.data *= 0.3
    state_dict = model.state_dict()
    torch.save(dict(state_dict=state_dict, meta=dict(dataset_meta=dict(classes=CLASSES))), folder / 'c.pth')
    return folder


def call(folder, name, *arguments):
    result = run_tool(name, *arguments, cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope='module')
def predicted(folder):
    """What tools/test.py predicts with the checkpoint."""

    @cache
    def predict(config):
        call(folder, 'test.py', config, 'c.pth', '--data', 'images', '--out', f'{config}.pkl')
        return pickle.loads((folder / f'{config}.pkl').read_bytes())

    return predict


@pytest.mark.parametrize(
    ('config', 'to', 'out', 'snippet', 'options'),
    [
        ('cv2.py', 'onnx', 'model.onnx', ONNX, ('--with-preprocess',)),
        ('pillow.py', 'openvino', 'model.xml', OPENVINO, ()),
    ],
)
def test_a_snippet_agrees_with_the_test_tool_on_every_photograph(
    folder, predicted, monkeypatch, capsys, config, to, out, snippet, options
):
    for library in dict(onnx=['onnx', 'onnxscript', 'onnxruntime'], openvino=['openvino'])[to]:
        pytest.importorskip(library)
    call(folder, 'export.py', config, 'c.pth', '--data', 'images', '--to', to, '--out', out, *options)
    predictions = predicted(config)
    assert len(predictions) == 8
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    code = compile(snippet, 'docs/deploy.md', 'exec')
    for prediction in predictions:
        (folder / 'photo.jpg').write_bytes((folder / prediction['img_path']).read_bytes())
        namespace = {}
        exec(code, namespace)
        expected = prediction['pred_score'].numpy()
        # fp32 in another order of additions, which tools/export.py lets differ by 1e-4 of the largest logit.
        np.testing.assert_allclose(namespace['scores'], expected, rtol=0, atol=1e-4)
        assert capsys.readouterr().out.split()[0] == CLASSES[expected.argmax()]
    sys.modules.pop('prepare')


@pytest.mark.parametrize('config', ['thr.py', 'topk.py'])
def test_an_exported_model_of_several_labels_has_the_metrics_of_its_checkpoint(folder, config):
    metrics = []
    call(folder, 'export.py', config, 'c.pth', '--to', 'torch', '--out', 'm.pt2')
    for file in ('c.pth', 'm.pt2'):
        call(folder, 'test.py', config, file, '--out', f'{file}.json', '--out-item', 'metrics')
        metrics.append(json.loads((folder / f'{file}.json').read_text()))
    checkpoint, exported = metrics
    assert exported == pytest.approx(checkpoint, abs=1e-4)
    assert {'multi-label/mAP', 'multi-label/precision_top2', 'multi-label/recall_thr-0.52'} & checkpoint.keys()
    # A softmax over four labels would leave nothing above the threshold, or order the images otherwise.
    assert all(0 < value < 100 for name, value in checkpoint.items() if re.search('precision|recall|mAP', name))
