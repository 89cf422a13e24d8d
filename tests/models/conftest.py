import pytest
import torch
from mmpretrain.registry import MODELS


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def make_classifier():
    """Build mmpretrain's classifier around our three parts, with the auxiliary classifier on."""

    def make(num_classes=10, backbone=None, head=None):
        return MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type='mmpretrain_inception.InceptionV3', out_indices=(3, 4)) | (backbone or {}),
                neck=dict(type='mmpretrain_inception.InceptionNeck'),
                head=dict(type='mmpretrain_inception.InceptionHead', num_classes=num_classes, with_aux=True)
                | (head or {}),
            )
        )

    return make


@pytest.fixture(scope='session')
def randomise():
    """Draw every parameter and every batch-norm statistic anew, at a scale that keeps activations near one."""

    @torch.no_grad()
    def draw(model):
        for name, tensor in model.state_dict().items():
            if name.endswith('num_batches_tracked'):
                tensor.random_(1, 1000)
            elif name.endswith('running_var') or name.endswith('bn.weight'):
                tensor.uniform_(0.5, 1.5)
            elif tensor.ndim == 1:
                tensor.normal_(std=0.1)
            else:
                tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
        return model

    return draw


@pytest.fixture(scope='session')
def without_gradient():
    """Name the parameters that the last backward pass did not reach."""
    return lambda model: [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
