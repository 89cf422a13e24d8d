from copy import deepcopy

import pytest
import torch

from mmpretrain_inception.models import InceptionV3

# Tracing takes seconds a model, however narrow.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]


def stress(*row):
    return pytest.param(*row, marks=pytest.mark.stress)


@pytest.fixture(autouse=True)
def _fresh():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def everything(model):
    """Return the whole network as a function of the images: both classifiers where the model trains them."""

    def run(images):
        feats = model.extract_feat(images)
        logits = model.head(feats)
        if model.training and model.head.AuxLogits is not None:
            return logits, model.head.AuxLogits(feats[-2])
        return (logits,)

    return run


@pytest.mark.parametrize(
    ('training', 'backbone', 'with_aux', 'amp'),
    [
        stress(False, {}, True, False),
        stress(False, {}, True, True),
        (False, dict(deploy=True), False, True),
        stress(True, {}, False, False),
        (True, {}, True, True),
        (True, dict(frozen_stages=2, norm_eval=True), True, False),
        # Below it is compiled and compared.
        stress(True, dict(with_cp=True), True, False),
    ],
    ids=str,
)
def test_the_network_is_one_graph_without_breaks(make_classifier, training, backbone, with_aux, amp):
    model = make_classifier(backbone=backbone, head=dict(with_aux=with_aux)).train(training)
    with torch.set_grad_enabled(training), torch.autocast('cpu', torch.bfloat16, enabled=amp):
        explained = torch._dynamo.explain(everything(model))(torch.randn(2, 3, 75, 75))
    assert (explained.graph_count, explained.graph_break_count) == (1, 0), explained.break_reasons


def test_the_classifier_as_mmpretrain_calls_it_is_one_graph(make_classifier, labelled):
    model = make_classifier().eval()
    with torch.no_grad():
        for arguments in (dict(mode='tensor'), dict(mode='predict', data_samples=labelled(0, 1))):
            explained = torch._dynamo.explain(model)(torch.randn(2, 3, 75, 75), **arguments)
            assert (explained.graph_count, explained.graph_break_count) == (1, 0)
            torch.compiler.reset()


@pytest.mark.parametrize('with_cp', [False, True], ids=['plain', 'with_cp'])
def test_compiled_training_gives_the_gradients_and_statistics_of_eager(randomise, with_cp):
    eager = randomise(InceptionV3(out_indices=2, with_cp=with_cp)).double().train()
    compiled = deepcopy(eager)
    images = torch.randn(2, 3, 75, 75, dtype=torch.double)
    for run in (eager, torch.compile(compiled, backend='aot_eager')):
        run(images)[0].square().sum().backward()
    torch.testing.assert_close(compiled.state_dict(), eager.state_dict(), rtol=1e-9, atol=1e-9)
    for name, parameter in eager.named_parameters():
        largest = parameter.grad.abs().max().item()
        torch.testing.assert_close(compiled.get_parameter(name).grad, parameter.grad, rtol=1e-7, atol=1e-7 * largest)
