from dataclasses import replace

import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from support import CONFIGS
from tiny_model import CONTRACT, NETWORK

from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.deploy import Contract
from mmpretrain_inception.deploy.from_config import checkpoint_contract
from mmpretrain_inception.deploy.parts import describe_network, is_network
from mmpretrain_inception.deploy.pipeline import describe_pipeline, pipeline_of
from mmpretrain_inception.deploy.preparation import crop, load, resize
from mmpretrain_inception.errors import InputError

HEAD = dict(type='mmpretrain_inception.InceptionHead', num_classes=3)


def model(**changes):
    parts = dict(backbone=dict(type='mmpretrain_inception.InceptionV3'), neck=dict(type='GlobalAveragePooling'))
    return {'type': 'ImageClassifier', **parts, 'head': HEAD, **changes}


@pytest.mark.parametrize('config', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.stem)
def test_every_config_of_a_classifier_of_ours_is_described(config):
    cfg = load_config(str(config))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        contract, reason = checkpoint_contract(cfg)
    # An ensemble, mmpretrain's own network, and those without a classifier.
    if any(word in config.stem for word in ('ensemble', 'folder-75px', '_fid')) and contract is None:
        assert reason.startswith('model.') or reason.endswith('no rule for NumpyToPIL(to_rgb=True)')
        return
    assert reason == ''
    assert Contract.from_json(contract.to_json(), 'FILE') == contract
    assert contract.network['backbone']['type'] == 'InceptionV3'


def test_what_only_training_uses_is_left_out():
    settings = model(
        backbone=dict(type='mmpretrain_inception.InceptionV3', frozen_stages=2, norm_eval=True, stem='7x7'),
        head=dict(HEAD, loss=dict(type='LabelSmoothLoss'), topk=(1, 3), cal_acc=False, dropout=0.5),
        train_cfg=dict(augments=dict(type='Mixup')),
    )
    network, reason = describe_network(settings)
    assert reason == ''
    assert network == dict(
        backbone=dict(type='InceptionV3', stem='7x7'),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='InceptionHead', num_classes=3, dropout=0.5),
    )


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(head=dict(type='ArcFaceClsHead', num_classes=3)), 'model.head.type=ArcFaceClsHead'),
        (dict(backbone=dict(type='ResNet', depth=18)), 'model.backbone.type=ResNet'),
        (dict(neck=None), 'model.neck.type=None'),
        (dict(extra=1), 'model.extra'),
        (dict(type='TimmClassifier'), 'model.type=TimmClassifier'),
        (dict(head=dict(HEAD, norm_cfg=dict(type='LN'))), "model.head.norm_cfg={'type': 'LN'}"),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_other_models_are_not_described(changes, reason):
    assert describe_network(model(**changes)) == (None, reason)


def changed(part, **changes):
    return {**NETWORK, part: {**NETWORK[part], **changes}}


@pytest.mark.parametrize(
    'network',
    [
        [],
        {**NETWORK, 'init_cfg': {}},
        {part: NETWORK[part] for part in ('backbone', 'head')},
        changed('head', type='os.system'),
        changed('head', type=['InceptionHead']),
        changed('head', num_classes=True),
        changed('head', loss=dict(type='os.system')),
        changed('backbone', init_cfg=dict(type='Pretrained', checkpoint='/etc/passwd')),
        changed('backbone', norm_cfg=dict(type='os.system')),
        changed('backbone', norm_cfg=dict(type='BN', eps=[1])),
        changed('backbone', out_indices=['3']),
        changed('neck', dim=2),
    ],
    ids=str,
)
def test_a_contract_with_other_options_is_refused(network):
    assert not is_network(network)
    with pytest.raises(InputError, match='network is invalid'):
        replace(CONTRACT, network=network)


def test_a_pipeline_without_a_rule_is_no_reason_to_stop_a_training():
    cfg = Config.fromfile(CONFIGS / 'inception-v3_1xb64_digits-75px.py')
    cfg.test_dataloader.dataset.pipeline.insert(1, dict(type='RandomFlip', prob=0.5))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        assert checkpoint_contract(cfg)[1].endswith('no rule for RandomFlip(prob=0.5, direction=horizontal)')
        cfg.test_dataloader.dataset.pipeline = [dict(type='NoSuchTransform')]
        assert 'NoSuchTransform' in checkpoint_contract(cfg)[1]


STEPS = [
    (load(),),
    (load('pillow', exif_orientation=False, min_size=30),),
    *(
        (resize(rule, backend, 'bilinear', size=40),)
        for rule in ('short_edge', 'long_edge', 'width', 'height')
        for backend in ('cv2', 'pillow')
    ),
    (resize('exact', 'cv2', 'area', height=30, width=40),),
    (resize('exact', 'tensorflow1', 'bilinear', height=30, width=40),),
    (resize('exact', 'tensorflow2', 'bilinear', height=30, width=40),),
    (crop('center', height=20, width=30),),
    (crop('central_fraction', fraction=0.875),),
    (load(), resize('short_edge', 'pillow', 'lanczos', size=40), crop('center', height=20, width=30)),
]


@pytest.mark.parametrize('preparation', STEPS, ids=str)
def test_a_pipeline_is_made_from_its_description(preparation):
    assert describe_pipeline(Compose(pipeline_of(preparation)).transforms) == (preparation, '')
