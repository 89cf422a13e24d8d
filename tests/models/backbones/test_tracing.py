"""What torchvision's network can be put into, ours can: torch.fx, torch.jit, feature extraction."""

import warnings

import pytest
import torch
from torch.fx import symbolic_trace
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from mmpretrain_inception import InceptionV3

# torch deprecates TorchScript.
pytestmark = [pytest.mark.filterwarnings('ignore:.*torch.jit.*:FutureWarning'), pytest.mark.usefixtures('narrow')]

OPTIONS = {
    'default': {},
    'all maps': dict(out_indices=range(5)),
    'shallow': dict(out_indices=(0, 2)),
    '7x7 stem': dict(out_indices=2, stem='7x7', stem_stride=1),
    'no first pool': dict(out_indices=1, stem_pool=False, stem_stride=1),
    'TensorFlow': dict(count_include_pad=False, last_pool='max'),
    'deploy': dict(out_indices=2, deploy=True),
    'frozen': dict(out_indices=2, frozen_stages=1, norm_eval=True),
    'recomputed': dict(out_indices=2, with_cp=True),
    'group norm': dict(out_indices=2, norm_cfg=dict(type='GN', num_groups=2)),
    'grey': dict(out_indices=0, in_channels=1),
}


@pytest.fixture(params=OPTIONS.values(), ids=OPTIONS)
def backbone(request, randomise):
    torch.manual_seed(0)
    return randomise(InceptionV3(**request.param)).double()


def images_for(backbone, count=2, extra=0):
    kernel = next(backbone.parameters())
    generator = torch.Generator().manual_seed(count)
    side = backbone.min_size + extra
    return torch.randn(count, kernel.shape[1], side, side + 7, generator=generator, dtype=torch.double)


def traced(backbone):
    with warnings.catch_warnings():
        # The tracer warns of what it takes for constant.
        warnings.simplefilter('error', torch.jit.TracerWarning)
        # Group norm checks its batch size.
        warnings.filterwarnings('ignore', category=torch.jit.TracerWarning, module=r'torch\.nn\.functional')
        return torch.jit.trace(backbone, images_for(backbone))


def scripted(backbone):
    return torch.jit.script(backbone)


@pytest.mark.parametrize('transform', [symbolic_trace, scripted, traced], ids=lambda function: function.__name__)
def test_a_traced_backbone_computes_what_the_eager_one_does_at_any_size(backbone, transform):
    backbone.eval()
    converted = transform(backbone)
    with torch.no_grad():
        for count, extra in ((2, 0), (1, 20)):
            images = images_for(backbone, count, extra)
            found, expected = converted(images), backbone(images)
            assert isinstance(found, tuple)
            assert len(found) == len(expected)
            for one, other in zip(found, expected):
                torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * other.abs().max().item())


@pytest.mark.parametrize('options', [{}, dict(with_cp=True), dict(frozen_stages=1)], ids=str)
def test_a_symbolic_trace_trains(randomise, options):
    backbone = randomise(InceptionV3(out_indices=2, **options)).double().train()
    images = images_for(backbone, extra=40)
    gradients = []
    for network in (backbone, symbolic_trace(backbone)):
        backbone.zero_grad()
        network(images)[0].square().sum().backward()
        gradients.append({name: p.grad.clone() for name, p in backbone.named_parameters() if p.grad is not None})
    assert gradients[0]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def test_torchvisions_feature_extractor_takes_maps_from_inside(randomise):
    backbone = randomise(InceptionV3()).double().eval()
    images = images_for(backbone, extra=30)
    names = {'Mixed_5d': 'grid35', 'Mixed_6e.branch1x1': 'branch', 'Mixed_7c': 'last'}
    extractor = create_feature_extractor(backbone, names)
    inside = []
    hook = backbone.Mixed_6e.branch1x1.register_forward_hook(lambda *args: inside.append(args[-1]))
    whole = InceptionV3(out_indices=(2, 4)).double().eval()
    whole.load_state_dict(backbone.state_dict())
    with torch.no_grad():
        found = extractor(images)
        grid35, last = whole(images)
        backbone(images)
    hook.remove()
    expected = dict(grid35=grid35, branch=inside[0], last=last)
    assert found.keys() == expected.keys()
    torch.testing.assert_close(dict(found), expected, rtol=1e-9, atol=1e-9)
    assert 'Mixed_7c.cat' in get_graph_node_names(backbone)[1]


def test_a_scripted_backbone_is_saved_and_loaded(tmp_path, randomise):
    backbone = randomise(InceptionV3(out_indices=(3, 4))).double().eval()
    torch.jit.script(backbone).save(tmp_path / 'b.pt')
    loaded = torch.jit.load(tmp_path / 'b.pt')
    images = images_for(backbone)
    with torch.no_grad():
        torch.testing.assert_close(loaded(images), backbone(images), rtol=1e-9, atol=1e-9)


def test_a_classifier_of_mmpretrain_is_traced_with_it(make_classifier, randomise):
    model = randomise(make_classifier(4)).double().eval()
    images = torch.randn(2, 3, 75, 75, dtype=torch.double)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('error', torch.jit.TracerWarning)
        found = torch.jit.trace(model, images)(images)
        torch.testing.assert_close(found, model(images), rtol=1e-9, atol=1e-9)
