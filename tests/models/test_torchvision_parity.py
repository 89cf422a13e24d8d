from collections import namedtuple

import pytest
import torch
from torch.nn import functional
from torchvision.models import inception_v3

NUM_CLASSES = 11
LABELS = (3, 8)
TOLERANCE = 1e-9

Run = namedtuple('Run', ['evaluated', 'logits', 'aux_logits', 'loss', 'gradients', 'buffers'])


def torchvision_name(name):
    return name.removeprefix('backbone.').removeprefix('head.')


def gradients_and_buffers(model):
    gradients = {torchvision_name(name): parameter.grad for name, parameter in model.named_parameters()}
    return gradients, {torchvision_name(name): buffer for name, buffer in model.named_buffers()}


def run_theirs(model, images):
    with torch.no_grad():
        evaluated = model.eval()(images)
    logits, aux_logits = model.train()(images)
    labels = torch.tensor(LABELS)
    loss = functional.cross_entropy(logits, labels) + 0.4 * functional.cross_entropy(aux_logits, labels)
    loss.backward()
    return Run(evaluated, logits, aux_logits, loss, *gradients_and_buffers(model))


def run_ours(model, images, samples):
    with torch.no_grad():
        evaluated = model.eval()(images, mode='tensor')
    seen = {}
    for name in ('fc', 'AuxLogits'):
        getattr(model.head, name).register_forward_hook(lambda *args, name=name: seen.update({name: args[-1]}))
    losses = model.train()(images, samples, mode='loss')
    loss, _ = model.parse_losses(losses)
    loss.backward()
    return Run(evaluated, seen['fc'], seen['AuxLogits'], loss, *gradients_and_buffers(model))


@pytest.fixture(scope='module')
def twins(make_classifier, randomise):
    torch.manual_seed(0)
    options = dict(aux_logits=True, transform_input=False, init_weights=False, dropout=0.0)
    theirs = randomise(inception_v3(weights=None, num_classes=NUM_CLASSES, **options).double())
    ours = make_classifier(NUM_CLASSES, head=dict(dropout=0.0)).double()
    state = theirs.state_dict()
    ours.load_state_dict({name: state[torchvision_name(name)] for name in ours.state_dict()})
    return ours, theirs


@pytest.fixture(scope='module')
def runs(twins, labelled):
    ours, theirs = twins
    # Torchvision's auxiliary classifier needs the 17x17 map.
    images = torch.randn(len(LABELS), 3, 299, 299, dtype=torch.float64)
    return run_ours(ours, images, labelled(*LABELS)), run_theirs(theirs, images)


def distance(ours, theirs):
    """Return the largest difference, relative to the largest value."""
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def test_backbone_has_torchvisions_names_in_its_order(twins):
    ours, theirs = twins
    expected = [name for name in theirs.state_dict() if not name.startswith(('AuxLogits.', 'fc.'))]
    assert list(ours.backbone.state_dict()) == expected


@pytest.mark.parametrize('part', ['AuxLogits', 'fc'])
def test_head_has_torchvisions_names_in_its_order(twins, part):
    ours, theirs = (getattr(model, part).state_dict() for model in (twins[0].head, twins[1]))
    assert list(ours) == list(theirs)
    assert set(twins[0].head.state_dict()) == {
        name for name in twins[1].state_dict() if name.startswith(('AuxLogits.', 'fc.'))
    }


@pytest.mark.slow
@pytest.mark.parametrize('output', ['evaluated', 'logits', 'aux_logits', 'loss'])
def test_outputs_equal_torchvisions(runs, output):
    ours, theirs = (getattr(run, output) for run in runs)
    assert ours.shape == theirs.shape
    assert theirs.abs().max() > 0.1
    assert distance(ours, theirs) < TOLERANCE


@pytest.mark.slow
def test_gradient_of_the_weighted_loss_equals_torchvisions_for_every_parameter(runs):
    ours, theirs = (run.gradients for run in runs)
    assert set(ours) == set(theirs)
    assert all(gradient.any() for gradient in theirs.values())
    distances = {name: distance(ours[name], theirs[name]) for name in theirs}
    assert {name: value for name, value in distances.items() if not value < TOLERANCE} == {}


@pytest.mark.slow
def test_running_statistics_after_a_training_step_equal_torchvisions(runs):
    ours, theirs = (run.buffers for run in runs)
    assert set(ours) == set(theirs)
    distances = {name: distance(ours[name].double(), theirs[name].double()) for name in theirs}
    assert {name: value for name, value in distances.items() if not value < TOLERANCE} == {}
