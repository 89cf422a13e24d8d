"""Plans are written into configs; no file is read."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config

from mmpretrain_inception.configuring.apply import apply
from mmpretrain_inception.configuring.config_file import get_at, merge_options, overlap
from mmpretrain_inception.configuring.data_facts import DataFacts
from mmpretrain_inception.configuring.ensemble import Member
from mmpretrain_inception.configuring.folder import FolderData
from mmpretrain_inception.configuring.machine import BF16, FP16
from mmpretrain_inception.configuring.plan import Plan, RunPlan, TestPlan, TrainPlan
from mmpretrain_inception.errors import UsageError

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
FOLDER = FolderData(
    root='/images',
    datasets={
        'train_dataloader.dataset': dict(data_root='/images', data_prefix='train'),
        'test_dataloader.dataset.dataset': dict(data_root='/images', data_prefix='val'),
    },
    classes=('ant', 'bee', 'cat'),
    facts=DataFacts('/images', ('ant', 'bee', 'cat')),
)


@pytest.fixture
def cfg():
    return Config(
        dict(
            image_folder='images',
            data_preprocessor=dict(num_classes=2, mean=[0.0]),
            model=dict(type='ImageClassifier', backbone=dict(), head=dict(num_classes=2)),
            train_dataloader=dict(dataset=dict(type='ImageFolder', pipeline=PIPELINE)),
            test_dataloader=dict(
                dataset=dict(type='RepeatDataset', times=2, dataset=dict(type='ImageFolder', pipeline=PIPELINE))
            ),
            val_cfg=dict(),
            test_cfg=dict(),
            optim_wrapper=dict(optimizer=dict(type='SGD')),
            default_hooks=dict(checkpoint=dict(rule='greater'), visualization=dict(enable=False)),
            custom_hooks=[dict(type='EMAHook')],
        )
    )


def applied(plan, cfg, options=None):
    """Apply as configure does: the user's options first."""
    merge_options(cfg, options)
    return apply(plan, cfg, options)


def test_the_config_that_is_handed_in_stays_as_it_is(cfg):
    before = deepcopy(cfg.to_dict())
    apply(TestPlan(data=FOLDER, members=(Member('a.pth'),), tta=True, deploy=True), cfg)
    apply(TrainPlan(data=FOLDER, precision=BF16, validate=False, resume='auto'), cfg)
    assert cfg.to_dict() == before


def test_classes_reach_every_place_and_the_folder_every_dataset_inside_wrappers(cfg):
    written, notes = applied(Plan(data=FOLDER), cfg)
    assert written.model.head.num_classes == written.data_preprocessor.num_classes == 3
    inner = written.test_dataloader.dataset.dataset
    assert (inner.data_root, inner.data_prefix, inner.classes) == ('/images', 'val', ['ant', 'bee', 'cat'])
    assert set(written.test_dataloader.dataset) == {'type', 'times', 'dataset'}
    assert (written.image_folder, notes) == ('/images', ())


def test_classes_reach_the_models_inside_wrappers(cfg):
    member = dict(backbone=dict(num_classes=1000), head=dict())
    cfg.model = dict(type='TTA', module=dict(type='Ensemble', members=[dict(model=deepcopy(member))] * 2))
    written, _ = applied(Plan(data=FOLDER), cfg)
    assert [inner.model.backbone.num_classes for inner in written.model.module.members] == [3, 3]


@pytest.mark.parametrize(
    ('plan', 'options', 'note'),
    [
        (
            Plan(data=FOLDER),
            {'test_dataloader.dataset.dataset.data_prefix': 'test'},
            'test_dataloader.dataset.dataset.data_prefix=test (--cfg-options) is used instead of val of --data',
        ),
        (
            Plan(data=FOLDER),
            {'train_dataloader.dataset.data_root': '/other'},
            'train_dataloader.dataset.data_root=/other (--cfg-options) is used instead of --data',
        ),
        (
            RunPlan(pin_memory=False, loaders={'train_dataloader': {}}),
            {'train_dataloader.pin_memory': True},
            'train_dataloader.pin_memory=True (--cfg-options) is used instead of --no-pin-memory',
        ),
        (
            TrainPlan(persistent_workers=False, loaders={'train_dataloader': {}}),
            {'train_dataloader.persistent_workers': True},
            'train_dataloader.persistent_workers=True (--cfg-options) is used instead of --no-persistent-workers',
        ),
        # The parent of what the plan sets.
        (
            Plan(data=FOLDER),
            {'train_dataloader.dataset': dict(_delete_=True, type='CIFAR10')},
            "train_dataloader.dataset={'_delete_': True, 'type': 'CIFAR10'} (--cfg-options) is used instead of --data",
        ),
        # Defaults give way without a word.
        (RunPlan(loaders={'train_dataloader': dict(num_workers=8)}), {'train_dataloader.num_workers': 3}, None),
        (TestPlan(members=(Member('a'),), shown=dict(interval=1)), {'default_hooks.visualization.interval': 5}, None),
    ],
)
def test_what_the_user_sets_wins(cfg, plan, options, note):
    ((key, value),) = options.items()
    written, notes = applied(plan, cfg, dict(options))
    if isinstance(value, dict):
        assert get_at(written, f'{key}.type') == value['type']
        assert get_at(written, f'{key}.data_root') is None
    else:
        assert get_at(written, key) == value
    assert (note in notes) if note else notes == ()


@pytest.mark.parametrize(
    ('plan', 'options', 'message'),
    [
        (Plan(data=FOLDER), {'model.head.num_classes': 5}, r'num_classes=5: --data with 3 classes needs .*=3; leave'),
        (TrainPlan(precision=BF16), {'optim_wrapper.type': 'AmpOptimWrapper'}, '--amp needs optim_wrapper.type='),
        (TrainPlan(validate=False), {'val_cfg.fp16': True}, '--no-validate needs val_cfg=None'),
        (TrainPlan(resume='auto'), {'resume': False}, '--resume needs resume=True'),
        (TrainPlan(auto_scale_lr=True), {'auto_scale_lr.enable': False}, '--auto-scale-lr needs'),
        (TestPlan(members=(Member('a.pth'),)), {'load_from': 'b.pth'}, r'the checkpoint needs load_from=a\.pth'),
    ],
)
def test_what_would_make_an_option_senseless_is_refused(cfg, plan, options, message):
    with pytest.raises(UsageError, match=f'^--cfg-options .*{message}'):
        applied(plan, cfg, options)


def test_agreeing_with_the_plan_is_no_conflict(cfg):
    _, notes = applied(Plan(data=FOLDER), cfg, {'model.head.num_classes': 3})
    assert notes == ()


names = st.lists(st.sampled_from('abc'), min_size=1, max_size=4).map('.'.join)


@given(first=names, second=names)
def test_names_overlap_where_one_is_inside_the_other(first, second):
    expected = f'{first}.'.startswith(f'{second}.') or f'{second}.'.startswith(f'{first}.')
    assert overlap(first, second) is overlap(second, first) is expected


def test_no_workers_do_not_persist(cfg):
    defaults = dict(num_workers=0, persistent_workers=True)
    written, _ = applied(RunPlan(loaders={'train_dataloader': defaults}), cfg)
    assert written.train_dataloader.persistent_workers is False


def test_resuming_replaces_the_weights_to_start_from(cfg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.pth').touch()
    options = {'load_from': 'start.pth'}
    for resume, expected in (('auto', None), ('a.pth', str(tmp_path / 'a.pth')), ('http://h/a.pth', 'http://h/a.pth')):
        written, _ = applied(TrainPlan(resume=resume), deepcopy(cfg), options)
        assert (written.resume, written.load_from) == (True, expected)


# Each of them, dumped by the run and tested again with and without the option.
PLANS = {
    'one': TestPlan(members=(Member('a.pth'),)),
    'averaged over a mirror': TestPlan(members=(Member('a.pth'),), tta=True),
    'hooks': TestPlan(members=(Member('a.pth'),), deploy=True, skip_broken=True, compile=dict(dynamic=False)),
    'in bfloat16': TestPlan(members=(Member('a.pth'),), precision=BF16),
    'exported': TestPlan(members=(Member('a.onnx'),), exported=True),
    'own images': TestPlan(members=(Member('a.pth'),), data=FOLDER),
    'shown': TestPlan(members=(Member('a.pth'),), shown=dict(out_dir='s', interval=2)),
    'sharded training': TrainPlan(data=FOLDER, precision=BF16, validate=False, auto_scale_lr=True, drop_rule=True),
}


@pytest.mark.parametrize('plan', PLANS.values(), ids=PLANS)
def test_a_plan_applied_to_its_own_result_changes_nothing(cfg, plan):
    once, _ = apply(plan, cfg)
    again, notes = apply(plan, once)
    assert again.to_dict() == once.to_dict()
    assert notes == ()


@pytest.mark.parametrize('tta', [False, True])
def test_an_ensemble_applied_to_its_own_result_changes_nothing(cfg, tta):
    model = dict(type='ImageClassifier', backbone=dict(), head=dict(num_classes=2))
    members = (Member('a.pth', None, model), Member('b.pth', 'own.py', model))
    plan = TestPlan(members=members, ensemble=True, tta=tta, data=FOLDER)
    once, _ = apply(plan, cfg)
    assert apply(plan, once)[0].to_dict() == once.to_dict()
    assert model['head']['num_classes'] == 2


def test_an_option_that_test_time_augmentation_would_drop_is_refused(cfg):
    cfg.tta_pipeline = PIPELINE
    with pytest.raises(UsageError, match=r'pipeline\.1\.scale: --tta uses tta_pipeline of the config; change it there'):
        applied(
            TestPlan(members=(Member('a'),), tta=True),
            cfg,
            {'test_dataloader.dataset.dataset.pipeline.1.scale': 90},
        )


def test_an_exported_file_has_its_average_in_it(cfg):
    written, _ = apply(TestPlan(members=(Member('a.onnx'),), exported=True), cfg)
    assert (written.custom_hooks, written.load_from) == ([], None)
    assert (written.model.type, written.model.path) == ('mmpretrain_inception.ExportedClassifier', 'a.onnx')


def test_a_config_that_shards_is_tested_whole(cfg):
    cfg.strategy, cfg.runner_type = dict(type='FSDPStrategy'), 'FlexibleRunner'
    written, _ = apply(TestPlan(members=(Member('a.pth'),)), cfg)
    assert 'strategy' not in written
    assert 'runner_type' not in written


@pytest.mark.parametrize(
    ('strategy', 'precision', 'scaler'),
    [(dict(type='FSDPStrategy'), FP16, True), (None, FP16, None), (dict(type='FSDPStrategy'), BF16, None)],
)
def test_sharded_gradients_in_float16_get_the_scaler_that_all_processes_share(cfg, strategy, precision, scaler):
    cfg.strategy = strategy
    written, _ = apply(TrainPlan(precision=precision), cfg)
    assert written.optim_wrapper.get('use_fsdp') is scaler
