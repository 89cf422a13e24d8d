import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import Opened, load, to_ours

FINAL = ('head.fc.weight', 'head.fc.bias', 'head.AuxLogits.fc.weight', 'head.AuxLogits.fc.bias')
FID_POOLS = dict(count_include_pad=False, last_pool='max')


@pytest.fixture(autouse=True)
def _without_storage():
    # Names and shapes decide; values are the subject of the tests of parity.
    with torch.device('meta'):
        yield


def without(published, *prefixes):
    return {name: tensor for name, tensor in published.items() if not name.startswith(prefixes)}


def file_of(published):
    return Opened(published, {}, {}, 'FILE')


def test_file_fills_the_classifier(published, make_classifier):
    model = make_classifier(with_aux=True)

    fit = load(file_of(published), model)

    assert list(fit.state_dict) == list(model.state_dict())
    assert fit.state_dict['head.fc.bias'] is published['fc.bias']
    assert (fit.left_at_init, fit.notes) == ((), ())


def test_state_dict_serves_as_the_model(published, make_classifier):
    target = make_classifier(with_aux=True).state_dict()

    assert list(load(file_of(published), target).state_dict) == list(target)


def test_auxiliary_classifier_that_the_model_lacks_is_dropped_quietly(published, make_classifier):
    model = make_classifier()

    fit = load(file_of(published), model)

    assert list(fit.state_dict) == list(model.state_dict())
    assert fit.notes == ()


def test_auxiliary_classifier_that_the_file_lacks_stays_and_one_line_says_so(published, make_classifier):
    model = make_classifier(with_aux=True)

    fit = load(file_of(without(published, 'AuxLogits.')), model)

    aux = tuple(name for name in model.state_dict() if name.startswith('head.AuxLogits.'))
    assert fit.left_at_init == aux
    assert {*fit.state_dict, *aux} == set(model.state_dict())
    assert fit.notes == ('FILE: head.AuxLogits left at initialisation (not in the file, or for other classes)',)


def drop(name):
    return lambda published: published.pop(name)


def reshape(name, *shape):
    return lambda published: published.update({name: torch.empty(shape)})


@pytest.mark.parametrize('new_classes', [False, True])
@pytest.mark.parametrize(
    ('damage', 'message'),
    [
        (drop('Mixed_6b.branch1x1.conv.weight'), r'missing: backbone\.Mixed_6b\.branch1x1\.conv\.weight$'),
        (drop('Mixed_6b.branch1x1.bn.weight'), r'missing: backbone\.Mixed_6b\.branch1x1\.bn\.weight$'),
        (drop('Conv2d_1a_3x3.conv.weight'), r'missing: backbone\.Conv2d_1a_3x3\.conv\.weight$'),
        (drop('AuxLogits.conv0.bn.bias'), r'missing: head\.AuxLogits\.conv0\.bn\.bias$'),
        (
            reshape('Mixed_7c.branch_pool.conv.weight', 192, 2048, 3, 3),
            r'of another shape: backbone\.Mixed_7c\.branch_pool\.conv\.weight: \(192, 2048, 3, 3\) in the file, '
            r'\(192, 2048, 1, 1\) in the model$',
        ),
        (reshape('fc.weight', 1000, 1024), r'of another shape: head\.fc\.weight: \(1000, 1024\) in the file'),
        (reshape('extra.weight', 1), r'not in the model: backbone\.extra\.weight$'),
        (reshape('Mixed_5b.branch9x9.conv.weight', 1), r'not in the model: backbone\.Mixed_5b\.branch9x9'),
    ],
)
def test_what_does_not_fill_the_model_is_refused_by_name(published, make_classifier, damage, message, new_classes):
    damage(published)

    with pytest.raises(InputError, match=rf'^FILE does not fill the model; {message}'):
        load(file_of(published), make_classifier(with_aux=True), new_classes=new_classes)


def test_error_shows_the_first_few_names(published, make_classifier):
    with pytest.raises(InputError, match=r'missing: (\S+, ){2}\S+ and 51 more$') as error:
        load(file_of(without(published, 'Mixed_7c.')), make_classifier())

    assert 'missing: backbone.Mixed_7c.branch1x1.conv.weight, ' in str(error.value)


@pytest.mark.parametrize('with_aux', [False, True])
def test_another_number_of_classes_is_refused(published, make_classifier, with_aux):
    with pytest.raises(InputError, match=r'head\.fc\.weight: \(1000, 2048\) in the file, \(10, 2048\) in the model'):
        load(file_of(published), make_classifier(num_classes=10, with_aux=with_aux))


@pytest.mark.parametrize('dropped', [(), ('fc.',)], ids=['other_classes', 'no_classifier'])
def test_fine_tuning_leaves_exactly_the_final_layers(published, make_classifier, dropped):
    model = make_classifier(num_classes=10, with_aux=True)

    fit = load(file_of(without(published, *dropped)), model, new_classes=True)

    assert fit.left_at_init == FINAL
    assert {*fit.state_dict, *FINAL} == set(model.state_dict())
    assert not set(fit.state_dict) & set(FINAL)
    assert fit.notes == (
        'FILE: head.fc, head.AuxLogits.fc left at initialisation (not in the file, or for other classes)',
    )


def test_fine_tuning_on_as_many_classes_loads_everything(published, make_classifier):
    assert load(file_of(published), make_classifier(with_aux=True), new_classes=True).left_at_init == ()


def test_file_without_a_classifier_is_refused_for_evaluation(published, make_classifier):
    with pytest.raises(InputError, match=r'missing: head\.fc\.weight, head\.fc\.bias$'):
        load(file_of(without(published, 'fc.', 'AuxLogits.')), make_classifier())


@pytest.fixture
def with_background(published):
    for name in ('fc.weight', 'fc.bias', 'AuxLogits.fc.weight', 'AuxLogits.fc.bias'):
        row = torch.full((1, *published[name].shape[1:]), 7.0, device='cpu')
        published[name] = torch.cat([row, published[name]])
    return published


def test_background_is_cut_for_a_thousand_classes_and_one_line_says_so(
    with_background, torchvision_model, make_classifier
):
    fit = load(file_of(with_background), make_classifier(with_aux=True))

    for name in FINAL:
        assert torch.equal(fit.state_dict[name], torchvision_model.state_dict()[name.removeprefix('head.')])
    assert fit.notes == ('FILE: 1001 classes; the first one (background) is left out',)


def test_background_stays_where_the_model_has_it(with_background, make_classifier):
    fit = load(file_of(with_background), make_classifier(num_classes=1001))

    assert len(fit.state_dict['head.fc.weight']) == 1001
    assert fit.notes == ()


def test_background_is_not_cut_for_other_classes(with_background, make_classifier):
    with pytest.raises(InputError, match=r'head\.fc\.weight: \(1001, 2048\) in the file, \(10, 2048\)'):
        load(file_of(with_background), make_classifier(num_classes=10))


@pytest.fixture
def fid(published):
    published['fc.weight'], published['fc.bias'] = (torch.zeros(shape, device='cpu') for shape in ((1008, 2048), 1008))
    # It was never trained in PyTorch, so its counters of batches are zero.
    published |= {name: torch.zeros_like(t) for name, t in published.items() if name.endswith('num_batches_tracked')}
    return file_of(without(published, 'AuxLogits.'))


@pytest.mark.parametrize('backbone', [{}, dict(count_include_pad=False), dict(last_pool='max')])
@pytest.mark.parametrize('new_classes', [False, True])
def test_fid_weights_are_refused_for_other_pools(fid, make_classifier, backbone, new_classes):
    with pytest.raises(
        InputError, match=r"FILE has the weights of FID's network .*count_include_pad=False and .*last_pool='max'"
    ):
        load(fid, make_classifier(num_classes=1008, **backbone), new_classes=new_classes)


def test_fid_weights_fill_the_network_of_fid(fid, make_classifier):
    model = make_classifier(num_classes=1008, **FID_POOLS)

    assert list(load(fid, model).state_dict) == list(model.state_dict())
    assert list(load(fid, model.backbone).state_dict) == list(model.backbone.state_dict())


@pytest.mark.parametrize('out_indices', [0, 1, 2, 3, 4])
def test_bare_backbone_is_filled_up_to_its_last_layer(published, make_classifier, out_indices):
    backbone = make_classifier(out_indices=out_indices).backbone

    fit = load(file_of(published), backbone)

    assert list(fit.state_dict) == list(backbone.state_dict())


def test_deep_layers_are_not_left_out_in_a_whole_network(published):
    target = {name: tensor for name, tensor in to_ours(published).tensors.items() if 'Mixed_6c' not in name}

    with pytest.raises(InputError, match=r'not in the model: backbone\.Mixed_6c.* and 57 more$'):
        load(file_of(published), target)


def test_backbone_of_another_network_is_refused(published):
    with torch.device('cpu'):
        head = dict(type='LinearClsHead', num_classes=1000, in_channels=512)
        model = MODELS.build(dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), head=head))

    with pytest.raises(
        InputError, match=r'missing: backbone\.conv1\.weight, .*not in the model: backbone\.Conv2d_1a_3x3'
    ):
        load(file_of(published), model)


def test_backbone_of_another_module_is_filled(published, make_classifier):
    detector = nn.Module()
    detector.backbone = make_classifier().backbone

    assert list(load(file_of(published), detector).state_dict) == list(detector.state_dict())
