import pytest
from support import CONFIGS
from torch import nn

from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import TestOptions
from mmpretrain_inception.deploy import Contract, export_model
from mmpretrain_inception.errors import InputError, UsageError

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
IMAGENET = dict(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))


@pytest.fixture(scope='module')
def export(tmp_path_factory):
    """Export a small network whose contract is that of the digits' config but for what is given."""
    folder = tmp_path_factory.mktemp('files')

    def write(**changes):
        settings = {**dict(num_classes=10, height=75, width=75, classes=tuple('0123456789'), **IMAGENET), **changes}
        model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, settings['num_classes']))
        path = folder / 'm.pt2'
        export_model(model, path, to='torch', contract=Contract(**settings))
        return str(path)

    return write


def for_test(*checkpoints, **options):
    return configure(TestOptions(str(DIGITS), checkpoints=checkpoints, **options)).cfg


@pytest.mark.parametrize('tta', [False, True])
def test_the_file_takes_the_place_of_the_model(export, tta):
    path = export()
    cfg = for_test(path, tta=tta)
    model = cfg.model.module if tta else cfg.model
    assert (model.type, model.path) == ('mmpretrain_inception.ExportedClassifier', path)
    assert model.data_preprocessor.to_rgb is True
    assert cfg.load_from is None
    # Of the average, which the file holds.
    assert cfg.custom_hooks == []


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(height=80), r'expected images of \(height, width\) \(75, 75\) as in .*digits-75px\.py, got \(80, 75\)'),
        (dict(mean=(0.0, 0.0, 0.0)), r'expected means \(123\.675.* got \(0\.0, 0\.0, 0\.0\)'),
        (dict(std=(1.0, 1.0, 1.0)), r'expected deviations .*; it was exported from another network'),
        (dict(channel_order='BGR', config='a.py'), r'expected channels RGB .* got BGR; it was exported from a\.py'),
        (dict(num_classes=4, classes=None), 'expected classes 10 .* got 4'),
    ],
)
def test_a_file_of_other_images_or_classes_is_refused(export, changes, message):
    path = export(**changes)
    with pytest.raises(InputError, match=rf'm\.pt2: {message}'):
        for_test(path)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(amp=True), '--amp changes how PyTorch runs a model'),
        (dict(deploy=True), '--deploy changes'),
        (dict(launcher='pytorch'), '--launcher changes'),
        (dict(cfg_options={'compile': True}), 'compile changes'),
    ],
)
def test_options_that_change_a_model_are_refused(export, options, message):
    path = export()
    with pytest.raises(UsageError, match=rf'm\.pt2: {message}'):
        for_test(path, **options)


def test_a_file_whose_classes_have_other_names_is_refused(export):
    path = export()
    names = {'test_dataloader.dataset.metainfo': dict(classes=tuple('0123456798'))}
    with pytest.raises(InputError, match=r'm\.pt2: expected 9 as class 8, as in the data, got 8'):
        for_test(path, cfg_options=names)


@pytest.mark.parametrize(
    ('settings', 'found'),
    [
        (dict(activation='sigmoid', threshold=0.5), r"\('sigmoid', 0\.5, None\)"),
        (dict(activation=None), r'\(None, None, None\)'),
    ],
)
def test_a_file_whose_scores_are_computed_otherwise_is_refused(export, settings, found):
    path = export(**settings)
    message = rf"m\.pt2: expected activation, threshold and topk \('softmax', None, None\) by the head .* got {found}"
    with pytest.raises(InputError, match=message):
        for_test(path)


def test_a_multi_label_file_is_evaluated_by_the_threshold_of_the_config(export):
    path = export(activation='sigmoid', threshold=0.3)
    head = {
        'model.head': dict(_delete_=True, type='MultiLabelLinearClsHead', num_classes=10, in_channels=2048, thr=0.3)
    }
    assert for_test(path, cfg_options=head).model.path == path
    with pytest.raises(InputError, match=r"\('sigmoid', 0\.4, None\) by the head"):
        for_test(path, cfg_options={'model.head': dict(head['model.head'], thr=0.4)})


def test_exported_files_are_evaluated_one_at_a_time(export):
    path = export()
    with pytest.raises(UsageError, match='is an exported file, and those are evaluated one at a time'):
        for_test('c.pth', path)


def test_a_pipeline_whose_images_differ_in_size_is_refused(export):
    path = export()
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    with pytest.raises(InputError, match='got 400 x 500 and 640 x 480 from the test pipeline; crop them at its end'):
        for_test(path, cfg_options={'test_dataloader.dataset.pipeline': pipeline})
