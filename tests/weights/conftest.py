import pytest
import torch
from mmpretrain.registry import MODELS
from torchvision.models import inception_v3


@torch.no_grad()
def draw(name, tensor):
    """Draw a parameter or statistic anew, at a scale that keeps activations near one."""
    if name.endswith('num_batches_tracked'):
        tensor.random_(1, 1000)
    elif name.endswith(('running_var', 'bn.weight')):
        tensor.uniform_(0.5, 1.5)
    elif tensor.ndim == 1:
        tensor.normal_(std=0.1)
    else:
        tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def randomise():
    def randomised(model):
        for name, tensor in model.state_dict().items():
            draw(name, tensor)
        return model.eval()

    return randomised


@pytest.fixture(scope='session')
def make_classifier():
    """Build mmpretrain's classifier around our three parts."""

    def make(num_classes=1000, with_aux=False, **backbone):
        out_indices = (3, 4) if with_aux else (4,)
        return MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type='mmpretrain_inception.InceptionV3', out_indices=out_indices) | backbone,
                neck=dict(type='mmpretrain_inception.InceptionNeck'),
                head=dict(type='mmpretrain_inception.InceptionHead', num_classes=num_classes, with_aux=with_aux),
            )
        ).eval()

    return make


@pytest.fixture(scope='session')
def torchvision_model(randomise):
    """torchvision's network with its auxiliary classifier and weights of chance."""
    torch.manual_seed(0)
    return randomise(inception_v3(init_weights=False, aux_logits=True))


@pytest.fixture
def published(torchvision_model):
    """A state dict as torchvision publishes it, to be changed at will; the tensors are shared."""
    return dict(torchvision_model.state_dict())


@pytest.fixture
def save(tmp_path):
    """Save an object as PyTorch does and return the file."""

    def saved(content, name='weights.pth', **kwargs):
        torch.save(content, tmp_path / name, **kwargs)
        return tmp_path / name

    return saved
