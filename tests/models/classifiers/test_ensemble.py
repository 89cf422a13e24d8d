import re

import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from narrow import thinner

from mmpretrain_inception import weights
from mmpretrain_inception.errors import InputError

pytestmark = pytest.mark.usefixtures('narrow')

IMAGENETS = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
TENSORFLOWS = dict(mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)
RESNET = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=512),
)

# Its head has no classifier and does not know its classes.
MMPRETRAINS = dict(type='ImageClassifier', backbone=dict(type='InceptionV3', num_classes=10), head=dict(type='ClsHead'))


def model_of(num_classes=10, preprocessor=IMAGENETS, **head):
    return dict(
        type='ImageClassifier',
        backbone=dict(type='mmpretrain_inception.InceptionV3'),
        neck=dict(type='mmpretrain_inception.InceptionNeck'),
        head=dict(type='mmpretrain_inception.InceptionHead', num_classes=num_classes, **head),
        data_preprocessor=dict(preprocessor),
    )


@pytest.fixture
def save(tmp_path, randomise):
    """Save random weights of a model, return the model and a member of an ensemble with those weights."""

    def save_as(name, model, classes=None, rename=dict):
        built = randomise(MODELS.build(model)).eval()
        meta = {} if classes is None else dict(dataset_meta=dict(classes=classes))
        torch.save(dict(state_dict=rename(built.state_dict()), meta=meta), tmp_path / name)
        return built, dict(model=model, checkpoint=str(tmp_path / name))

    return save_as


def ensemble_of(*members, **options):
    return MODELS.build(dict(type='mmpretrain_inception.EnsembleClassifier', members=members, **options)).eval()


def batch():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (3, 3, 75, 75), generator=generator, dtype=torch.uint8)
    return dict(inputs=images, data_samples=[DataSample().set_gt_label(label) for label in (3, 1, 4)])


@torch.no_grad()
def scores_of(model):
    return torch.stack([sample.pred_score for sample in model.test_step(batch())])


def test_scores_are_the_average_of_the_members_each_with_its_normalisation(save):
    first, one = save('1.pth', model_of())
    second, two = save('2.pth', model_of(preprocessor=TENSORFLOWS))
    third, three = save('3.pth', RESNET | dict(data_preprocessor=TENSORFLOWS))
    expected = [scores_of(model) for model in (first, second, third)]
    torch.testing.assert_close(scores_of(ensemble_of(one, two, three)), sum(expected) / 3)
    assert all((expected[0] - other).abs().max() > 1e-2 for other in expected[1:])
    torch.testing.assert_close(scores_of(ensemble_of(two)), expected[1])


def test_mmpretrains_own_network_is_a_member(save):
    first, one = save('1.pth', MMPRETRAINS | dict(data_preprocessor=IMAGENETS))
    second, two = save('2.pth', model_of())
    torch.testing.assert_close(scores_of(ensemble_of(one, two)), (scores_of(first) + scores_of(second)) / 2)


def test_the_best_class_is_that_of_the_average(save):
    members = [save(f'{n}.pth', model_of())[1] for n in range(2)]
    with torch.no_grad():
        samples = ensemble_of(*members).test_step(batch())
    assert [s.pred_label.item() for s in samples] == [s.pred_score.argmax().item() for s in samples]
    assert [s.gt_label.item() for s in samples] == [3, 1, 4]


def test_images_in_a_list_and_without_annotations_are_predicted(save):
    model = ensemble_of(save('1.pth', model_of())[1])
    images = batch()['inputs']
    with torch.no_grad():
        samples = model.test_step(dict(inputs=list(images)))
    torch.testing.assert_close(torch.stack([s.pred_score for s in samples]), scores_of(model))


def test_a_preprocessor_is_that_of_members_without_one(save):
    first, one = save('1.pth', model_of(preprocessor=TENSORFLOWS))
    _, two = save('2.pth', model_of())
    bare = dict(one, model={key: value for key, value in one['model'].items() if key != 'data_preprocessor'})
    torch.testing.assert_close(scores_of(ensemble_of(bare, data_preprocessor=TENSORFLOWS)), scores_of(first))
    model = ensemble_of(bare, two, data_preprocessor=TENSORFLOWS)
    means = [member.data_preprocessor.mean.flatten().tolist() for member in model.members]
    assert means == [pytest.approx(TENSORFLOWS['mean']), pytest.approx(IMAGENETS['mean'])]


def test_a_publishers_file_is_read_as_it_is(save):
    first, one = save('1.pth', model_of(), rename=lambda tensors: weights.from_ours(tensors, 'torchvision'))
    torch.testing.assert_close(scores_of(ensemble_of(one)), scores_of(first))


def test_a_member_without_a_file_keeps_its_initialisation():
    assert scores_of(ensemble_of(dict(model=model_of(), checkpoint=None))).shape == (3, 10)


def test_no_member():
    with pytest.raises(InputError, match='expected at least one member, got none'):
        ensemble_of()


def test_members_with_another_number_of_classes():
    members = [dict(model=model_of(number)) for number in (10, 10, 7)]
    with pytest.raises(InputError, match='the same classes, got 10 in member 1 and 7 in member 3'):
        ensemble_of(*members)


def test_files_whose_classes_have_other_names(save):
    members = [
        save(f'{order}.pth', model_of(3), classes)[1]
        for order, classes in dict(none=None, abc=('ant', 'bee', 'cat'), acb=['ant', 'cat', 'bee']).items()
    ]
    ensemble_of(*members[:2], members[1])
    with pytest.raises(InputError, match=r'got bee as class 1 in .*abc\.pth and cat in .*acb\.pth'):
        ensemble_of(*members)


@pytest.mark.parametrize('model', [model_of(), RESNET], ids=['ours', 'ResNet'])
def test_a_file_that_does_not_fill_its_member(save, tmp_path, model):
    _, member = save('1.pth', model)
    state_dict = torch.load(member['checkpoint'], weights_only=True)['state_dict']
    name = next(name for name in state_dict if name.endswith('fc.weight'))
    del state_dict[name]
    torch.save(state_dict, tmp_path / 'short.pth')
    with pytest.raises(InputError, match=re.escape(f'short.pth does not fill the model; missing: {name}')):
        ensemble_of(member, dict(model=model, checkpoint=str(tmp_path / 'short.pth')))


def test_a_file_of_other_classes_is_refused(save):
    _, member = save('7.pth', model_of(7))
    with pytest.raises(InputError, match=r'7\.pth does not fill the model; of another shape: head\.fc'):
        ensemble_of(dict(member, model=model_of(10)))


@pytest.mark.parametrize('mode', ['loss', 'tensor'])
def test_it_predicts_only(mode):
    model = ensemble_of(dict(model=model_of()))
    with pytest.raises(InputError, match=f"expected mode 'predict', got '{mode}'"):
        model(**batch(), mode=mode)


LABELS = dict(type='MultiLabelLinearClsHead', num_classes=10, in_channels=thinner(2048))


def test_members_of_several_labels_predict_them_by_the_average(save):
    settings = [dict(model_of(preprocessor=each), head=dict(LABELS, thr=0.4)) for each in (IMAGENETS, TENSORFLOWS)]
    members = [save(f'{number}.pth', model) for number, model in enumerate(settings)]
    ensemble = ensemble_of(*(member for _, member in members))
    expected = sum(scores_of(model) for model, _ in members) / 2
    with torch.no_grad():
        found = ensemble.test_step(batch())
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in found]), expected)
    assert [sample.pred_label.tolist() for sample in found] == [
        torch.where(score >= 0.4)[0].tolist() for score in expected
    ]
    assert any(len(sample.pred_label) > 1 for sample in found)


def test_one_label_and_several_are_not_averaged():
    several = dict(model=dict(model_of(), head=dict(LABELS)))
    with pytest.raises(InputError, match='members for one label per image, or for several, got both kinds'):
        ensemble_of(dict(model=model_of()), several)
