from functools import cache

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from mmpretrain_inception.deploy import Contract
from mmpretrain_inception.deploy.export import export_model
from mmpretrain_inception.deploy.table import BACKENDS


class Network(nn.Module):
    """A small network of the layers that Inception V3 has."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, stride=2)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1)
        self.conv3 = nn.Conv2d(16, 16, 1)
        self.pool = nn.AvgPool2d(3, 1, 1)
        self.global_pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(32, 10)

    def forward(self, x):
        x = functional.max_pool2d(self.conv1(x).relu(), 3, 2)
        x = torch.cat([self.conv2(x).relu(), self.conv3(self.pool(x)).relu()], 1)
        return self.fc(self.dropout(self.global_pool(x).flatten(1)))


@pytest.fixture(scope='session')
def network():
    """That network, whose logits differ from image to image."""
    torch.manual_seed(0)
    return Network().eval()


@pytest.fixture(scope='session')
def inception(make_classifier, randomise):
    """Inception V3 for ten classes."""
    torch.manual_seed(0)
    return randomise(make_classifier()).eval()


@pytest.fixture(scope='session')
def contract():
    """The form of its input; ``contract(with_preprocess=True)`` changes it."""

    def build(**changes):
        settings = dict(
            **dict(num_classes=10, height=75, width=75, classes=tuple('0123456789')),
            **dict(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)),
        )
        return Contract(**{**settings, **changes})

    return build


@pytest.fixture(scope='session')
def pixels():
    """Seven images, uint8 RGB of shape (7, 75, 75, 3), each of its own brightness."""
    noise = np.random.default_rng(0).integers(0, 100, (7, 75, 75, 3))
    return (noise + 25 * np.arange(7).reshape(7, 1, 1, 1)).astype(np.uint8)


@pytest.fixture(scope='session')
def normalised(pixels, contract):
    """The same images as the network takes them without preprocessing, float32 of shape (7, 3, 75, 75)."""
    images = (pixels - np.array(contract().mean)) / np.array(contract().std)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)


@pytest.fixture(scope='session')
def logits(network, normalised):
    """What the small network computes for them."""
    with torch.inference_mode():
        return network(torch.from_numpy(normalised)).numpy()


@pytest.fixture(scope='session')
def exported(tmp_path_factory, contract, pixels, normalised, request):
    """Export a network, once for the same options, and return the file."""
    folder = tmp_path_factory.mktemp('exported')

    @cache
    def export(to, precision, network='network', **changes):
        for library in dict(onnx=['onnx', 'onnxscript', 'onnxruntime'], openvino=['openvino']).get(to, []):
            pytest.importorskip(library)
        if precision == 'int8':
            pytest.importorskip('nncf')
        path = folder / f'{len(list(folder.iterdir()))}{BACKENDS[to].suffix}'
        form = contract(config='digits', **changes)
        calibration = [image[None] for image in (pixels if form.with_preprocess else normalised)]
        settings = dict(to=to, precision=precision, contract=form, calibration=calibration)
        export_model(request.getfixturevalue(network), path, **settings)
        return path

    return export
