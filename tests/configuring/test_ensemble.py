from argparse import Namespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.config import Config
from mmpretrain.registry import MODELS
from support import CONFIGS

from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.ensemble import Member, list_members
from mmpretrain_inception.configuring.options import TestOptions
from mmpretrain_inception.engine import FitWeightsHook
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.models.tta import MultiCrop

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
OWN = f"_base_ = '{DIGITS}'\n"
HALF = 'data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)\n'
TWO = "ensemble = [dict(checkpoint='a.pth'), dict(checkpoint='b.pth', config={config!r})]\n"


def for_test(config, **options):
    return configure(TestOptions(str(config), **options)).cfg


@pytest.fixture
def configs(tmp_path):
    """Write a config of an ensemble and, if it comes, one of its second member; return how to read the first."""

    def write(ensemble=TWO, member=OWN + HALF):
        (tmp_path / 'member.py').write_text(member)
        (tmp_path / 'ensemble.py').write_text(OWN + ensemble.format(config=str(tmp_path / 'member.py')))
        config = str(tmp_path / 'ensemble.py')
        return lambda **options: for_test(config, **options)

    return write


def ensemble_of(*members):
    return Config(dict(ensemble=list(members)))


A, B = dict(checkpoint='a.pth'), dict(checkpoint='b.pth', config='b.py')


@pytest.mark.parametrize(
    ('cfg', 'checkpoints', 'expected'),
    [
        (Config(), ['a.pth'], [Member('a.pth')]),
        (Config(), ['a.pth', 'b.pth', 'c.pth'], [Member('a.pth'), Member('b.pth'), Member('c.pth')]),
        (ensemble_of(A, B), [], [Member('a.pth'), Member('b.pth', 'b.py')]),
        (ensemble_of(A, B), ['c.pth', 'd.pth'], [Member('c.pth'), Member('d.pth', 'b.py')]),
        (ensemble_of(dict(config='a.py'), B), ['c.pth', 'd.pth'], [Member('c.pth', 'a.py'), Member('d.pth', 'b.py')]),
    ],
)
def test_checkpoints_come_from_the_command_line_or_the_config(cfg, checkpoints, expected):
    assert list_members(cfg, checkpoints, 'c.py') == expected


@pytest.mark.parametrize(
    ('cfg', 'checkpoints', 'message'),
    [
        (Config(), [], r'c\.py: expected a checkpoint after the config, or several for an ensemble'),
        (ensemble_of(A, B), ['c.pth'], r'its ensemble has 2 members; expected as many .* or none, got 1'),
        (ensemble_of(A, dict(config='b.py')), [], r'ensemble\[1\] names no checkpoint; .* give 2 checkpoints'),
    ],
)
def test_checkpoints_that_are_missing_or_too_many(cfg, checkpoints, message):
    with pytest.raises(UsageError, match=message):
        list_members(cfg, checkpoints, 'c.py')


declared = st.fixed_dictionaries({}, optional=dict(checkpoint=st.just('own.pth'), config=st.just('own.py')))


@given(members=st.lists(declared, max_size=5), checkpoints=st.lists(st.text(min_size=1), max_size=5))
def test_every_member_has_one_checkpoint_and_its_own_config_or_the_user_is_told(members, checkpoints):
    own = [member.get('checkpoint') for member in members]
    missing = not checkpoints and (not own or None in own)
    other_number = checkpoints and own and len(checkpoints) != len(own)
    if missing or other_number:
        with pytest.raises(UsageError, match=r'^c\.py: .*checkpoint'):
            list_members(ensemble_of(*members), checkpoints, 'c.py')
        return
    found = list_members(ensemble_of(*members), checkpoints, 'c.py')
    assert [member.checkpoint for member in found] == (checkpoints or own)
    # Without an ensemble in the config all are of the config itself.
    assert [member.config for member in found] == [member.get('config') for member in members or [{}] * len(found)]


def test_one_checkpoint_is_loaded_by_the_runner(configs):
    cfg = configs(ensemble='')(checkpoints=['a.pth'])
    assert cfg.load_from == 'a.pth'
    assert cfg.model.type == 'ImageClassifier'


def test_several_checkpoints_of_a_config_are_members_with_its_model(configs):
    cfg = configs(ensemble='')(checkpoints=['a.pth', 'b.pth'], cfg_options={'model.backbone.norm_eval': True})
    assert cfg.load_from is None
    assert cfg.model.type == 'mmpretrain_inception.EnsembleClassifier'
    assert [member.checkpoint for member in cfg.model.members] == ['a.pth', 'b.pth']
    for member in cfg.model.members:
        assert member.model.head.num_classes == member.model.data_preprocessor.num_classes == 10
        assert member.model.data_preprocessor.mean == [123.675, 116.28, 103.53]
        assert member.model.backbone.norm_eval


def test_a_declared_member_keeps_its_own_normalisation(configs):
    first, second = configs()().model.members
    assert (first.checkpoint, second.checkpoint) == ('a.pth', 'b.pth')
    assert first.model.data_preprocessor.mean == [123.675, 116.28, 103.53]
    assert second.model.data_preprocessor.mean == [127.5] * 3


def test_an_ensemble_of_one_is_one(configs):
    cfg = configs("ensemble = [dict(checkpoint='a.pth')]")()
    assert [member.checkpoint for member in cfg.model.members] == ['a.pth']


def test_an_ensemble_is_switched_off_by_none(configs):
    assert configs('ensemble = None')(checkpoints=['a.pth']).load_from == 'a.pth'


@pytest.mark.parametrize('inherited', [str(DIGITS), f'mmpretrain_inception::inception_v3/{DIGITS.name}'])
def test_members_with_the_same_pipeline_go_together(configs, inherited):
    # A change on the command line holds for all.
    cfg = configs(member=f"_base_ = '{inherited}'\n")(cfg_options={'test_dataloader.dataset.pipeline.1.scale': 90})
    assert len(cfg.model.members) == 2
    assert cfg.test_dataloader.dataset.pipeline[1].scale == 90


def test_a_member_with_another_pipeline_is_refused(configs):
    other = 'test_dataloader = dict(dataset=dict(pipeline=[dict(type="LoadImageFromFile"), dict(type="PackInputs")]))\n'
    with pytest.raises(InputError, match=r'member\.py: expected the test pipeline of .*ensemble\.py'):
        configs(member=OWN + other)()


def test_a_member_whose_config_does_not_exist(configs):
    with pytest.raises(UsageError, match=r'absent\.py: expected a config file'):
        configs("ensemble = [dict(checkpoint='a.pth', config='absent.py')]")()


def test_test_time_augmentation_wraps_the_ensemble(configs):
    cfg = configs()(tta=True, cfg_options={'tta_model': dict(type='mmpretrain_inception.MultiCropTTA', crop_size=75)})
    assert (cfg.model.type, cfg.model.crop_size) == ('mmpretrain_inception.MultiCropTTA', 75)
    assert cfg.model.module.type == 'mmpretrain_inception.EnsembleClassifier'
    assert cfg.test_dataloader.collate_fn.type == 'pseudo_collate'


def test_the_members_of_an_ensemble_on_own_images_have_its_classes(image_folder, tmp_path):
    folder = CONFIGS / 'inception-v3_1xb32_folder.py'
    (tmp_path / 'own.py').write_text(
        f"_base_ = '{folder}'\nensemble = [dict(checkpoint='a.pth'), dict(checkpoint='b.pth', config='{folder}')]\n"
    )
    members = for_test(tmp_path / 'own.py', data=str(image_folder)).model.members
    assert [member.model.head.num_classes for member in members] == [3, 3]


def test_an_ensemble_does_not_start_from_one_file():
    head = dict(type='LinearClsHead', num_classes=2, in_channels=512)
    member = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), head=head)
    ensemble = MODELS.build(dict(type='mmpretrain_inception.EnsembleClassifier', members=[dict(model=member)]))
    with pytest.raises(InputError, match=r'expected one file for each member of the ensemble, got .*a\.pth'):
        FitWeightsHook().after_load_checkpoint(Namespace(model=ensemble, _load_from='a.pth'), {'state_dict': {}})


@pytest.mark.parametrize(
    ('name', 'checkpoints', 'members', 'crops'),
    [('12crop', ['a.pth'], 0, 12), ('144crop', ['a.pth'], 0, 144), ('ensemble4', [], 4, 144)],
)
def test_the_papers_evaluations_have_as_many_crops_and_members_as_they_say(name, checkpoints, members, crops):
    config = CONFIGS / f'inception-v3-paper-{name}_in1k.py'
    single, many = (for_test(config, checkpoints=checkpoints, tta=tta) for tta in (False, True))
    assert len({member.checkpoint for member in many.model.module.get('members', ())}) == members
    assert len(MultiCrop(**{key: many.model[key] for key in ('crop_size', 'scales', 'squares')})) == crops
    load, pack = many.test_dataloader.dataset.pipeline
    assert load == single.test_dataloader.dataset.pipeline[0]
    assert pack.type == 'PackInputs'
