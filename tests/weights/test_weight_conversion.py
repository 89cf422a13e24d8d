import pytest
import torch
from torchvision.models import resnet50

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import SCHEMES, detect_scheme, from_ours, open_weights, to_ours
from mmpretrain_inception.weights.families.inception_v3.fid import is_fid
from mmpretrain_inception.weights.families.inception_v3.names import BRANCHES, DEPTH_ORDER, OURS
from mmpretrain_inception.weights.publishers import ALIASES, PUBLISHERS

FID_BLOCKS = {'Conv2d_1a_3x3': '0.0', 'Conv2d_4a_3x3': '1.1', 'Mixed_5b': '2.0', 'Mixed_6e': '2.7', 'Mixed_7c': '3.2'}


def to_mmpretrain(name):
    return f'backbone.{name}'


def to_ours_by_hand(name):
    return f'head.{name}' if name.startswith(('fc.', 'AuxLogits.')) else f'backbone.{name}'


def to_fid_module(name):
    layer, _, rest = name.partition('.')
    return f'blocks.{FID_BLOCKS[layer]}.{rest}'


def without_classifiers(published):
    return {name: tensor for name, tensor in published.items() if not name.startswith(('fc.', 'AuxLogits.'))}


def test_our_names_are_those_of_our_classifier_in_its_order(make_classifier):
    with torch.device('meta'):
        assert tuple(make_classifier(with_aux=True).state_dict()) == OURS


def test_every_publisher_has_a_table_of_names():
    assert SCHEMES.keys() == PUBLISHERS.keys()
    assert set(ALIASES.values()) <= SCHEMES.keys()


def test_depth_order_places_every_branch_once():
    assert {kind: sorted(order) for kind, order in DEPTH_ORDER.items()} == {
        kind: list(range(len(branches))) for kind, branches in BRANCHES.items()
    }


@pytest.mark.parametrize(
    ('rename', 'scheme'),
    [
        (lambda name: name, 'torchvision'),
        (to_mmpretrain, 'mmpretrain'),
        (to_ours_by_hand, 'ours'),
        (lambda name: f'module.{name}', 'torchvision'),
        (lambda name: f'_orig_mod.{to_ours_by_hand(name)}', 'ours'),
    ],
)
def test_names_tell_the_scheme_and_become_ours(published, rename, scheme):
    weights = to_ours({rename(name): tensor for name, tensor in published.items()})

    assert weights.scheme == scheme
    assert tuple(weights.tensors) == OURS
    assert all(weights.tensors[to_ours_by_hand(name)] is tensor for name, tensor in published.items())


@pytest.mark.parametrize(('rename', 'scheme'), [(lambda name: name, 'backbone'), (to_mmpretrain, 'ours')])
def test_bare_backbone_becomes_ours(published, rename, scheme):
    bare = without_classifiers(published)

    weights = to_ours({rename(name): tensor for name, tensor in bare.items()})

    assert weights.scheme == scheme
    assert weights.num_classes is None
    assert list(weights.tensors) == [f'backbone.{name}' for name in bare]


def test_sequences_of_pytorch_fid_become_layers(published):
    chosen = {name: t for name, t in published.items() if name.partition('.')[0] in FID_BLOCKS}

    weights = to_ours({to_fid_module(name): tensor for name, tensor in chosen.items()})

    assert weights.scheme == 'pytorch-fid'
    assert is_fid(weights)
    assert {name: id(tensor) for name, tensor in weights.tensors.items()} == {
        f'backbone.{name}': id(tensor) for name, tensor in chosen.items()
    }


def untrained(published):
    """Weights that were never trained in PyTorch, as publishers' conversions from TensorFlow."""
    return {name: t * 0 if name.endswith('num_batches_tracked') else t for name, t in published.items()}


def with_classes(published, num_classes, keep_aux=False):
    kept = {name: t for name, t in published.items() if keep_aux or not name.startswith('AuxLogits.')}
    return {**kept, 'fc.weight': torch.zeros(num_classes, 2048), 'fc.bias': torch.zeros(num_classes)}


@pytest.mark.parametrize(('num_classes', 'expected'), [(1000, False), (1001, False), (1008, True)])
def test_class_count_tells_the_network_of_fid(published, num_classes, expected):
    weights = to_ours(untrained(with_classes(published, num_classes)))

    assert weights.num_classes == num_classes
    assert is_fid(weights) == expected


@pytest.mark.parametrize(
    'own',
    [
        lambda published: with_classes(published, 1008),
        lambda published: untrained(with_classes(published, 1008, keep_aux=True)),
        lambda published: {to_ours_by_hand(n): t for n, t in untrained(with_classes(published, 1008)).items()},
        lambda published: {to_mmpretrain(n): t for n, t in untrained(with_classes(published, 1008)).items()},
    ],
    ids=['trained', 'with an auxiliary classifier', 'our names', 'names of mmpretrain'],
)
def test_a_users_own_1008_classes_are_not_taken_for_fid(published, own):
    assert not is_fid(to_ours(own(published)))


def test_weights_of_fid_may_lack_their_counters(published):
    bare = {n: t for n, t in with_classes(published, 1008).items() if not n.endswith('num_batches_tracked')}

    weights = to_ours(bare)

    assert is_fid(weights)
    assert all(int(t) == 0 for name, t in weights.tensors.items() if name.endswith('num_batches_tracked'))


@pytest.mark.parametrize('name', ['pt_inception-2015-12-05-6726825d.pth', 'weights-inception-2015-12-05-6726825d.pth'])
def test_the_published_file_of_fid_is_known_by_its_name(published, name):
    assert is_fid(to_ours(with_classes(published, 1008), origin=f'/files/{name}'))


def test_resnet_is_said_not_to_be_inception(save):
    with torch.device('meta'):
        names = list(resnet50().state_dict())
    path = save({name: torch.zeros(1) for name in names}, 'resnet50.pth')

    with pytest.raises(InputError, match=r'resnet50\.pth is not Inception V3: only 2 of its 320 names .*conv1\.weight'):
        to_ours(open_weights(path).tensors, origin=str(path))


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('keras', r'it: expected the names of Keras, got those of torchvision or timm'),
        ('caffe', r"expected one of auto, ours, .*torch-fidelity as the source, got 'caffe'"),
    ],
)
def test_wrong_source_is_refused(published, source, message):
    with pytest.raises(InputError, match=message):
        to_ours(published, source, origin='it')


@pytest.mark.parametrize('source', ['auto', 'torchvision', 'timm', 'torch-fidelity'])
def test_right_source_is_taken(published, source):
    assert to_ours(published, source).scheme == 'torchvision'


def test_one_parameter_under_two_names_is_refused(published):
    published['module.fc.bias'] = published['fc.bias']

    with pytest.raises(InputError, match='expected one name for each parameter, got two for 1 of them'):
        to_ours(published)


def test_value_that_is_no_tensor_is_refused(published):
    published['fc.bias'] = [0.0] * 1000

    with pytest.raises(InputError, match=r'^it: fc\.bias: expected a tensor, got a list$'):
        to_ours(published, origin='it')


def test_scale_and_count_are_added_where_no_norm_has_them(published):
    kept = {n: t for n, t in published.items() if not n.endswith(('bn.weight', 'num_batches_tracked'))}

    tensors = to_ours(kept).tensors

    assert tuple(tensors) == OURS
    assert torch.equal(tensors['backbone.Conv2d_1a_3x3.bn.weight'], torch.ones(32))
    assert tensors['backbone.Conv2d_1a_3x3.bn.num_batches_tracked'] == 0


def test_scale_that_one_norm_lacks_is_not_made_up(published):
    del published['Mixed_5b.branch1x1.bn.weight']

    assert 'backbone.Mixed_5b.branch1x1.bn.weight' not in to_ours(published).tensors


def assert_round_trip(theirs, target):
    back = from_ours(to_ours(theirs).tensors, target)

    assert list(back) == list(theirs)
    assert all(torch.equal(back[name], theirs[name]) and back[name].dtype == theirs[name].dtype for name in theirs)


def test_round_trip_by_torchvision_is_bit_for_bit_in_its_order(published):
    assert_round_trip(published, 'torchvision')


@pytest.mark.parametrize('with_aux', [True, False])
def test_round_trip_by_timm_is_bit_for_bit_in_its_order(randomise, with_aux):
    timm = pytest.importorskip('timm')

    model = randomise(timm.create_model('inception_v3', pretrained=False, aux_logits=with_aux))

    assert_round_trip(model.state_dict(), 'timm')


@pytest.mark.parametrize('target', ['torchvision', 'timm', 'ours'])
def test_ours_comes_back_bit_for_bit(randomise, make_classifier, target):
    ours = randomise(make_classifier(with_aux=True)).state_dict()

    back = to_ours(from_ours(ours, target)).tensors

    assert list(back) == list(ours)
    assert all(torch.equal(back[name], ours[name]) for name in ours)


def test_unknown_target_is_refused(published):
    with pytest.raises(InputError, match="expected ours, torchvision, timm as the names to write, got 'caffe'"):
        from_ours(published, 'caffe')


def test_names_of_nothing_are_refused():
    with pytest.raises(InputError, match='is not Inception V3: only 0 of its 0 names'):
        detect_scheme([])
