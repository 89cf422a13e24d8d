"""An Inception V3 for three classes at 75 px with random weights, and pictures for it."""

import io

import numpy as np
import torch
from PIL import Image

from mmpretrain_inception.deploy import Contract
from mmpretrain_inception.deploy.contract import KEY
from mmpretrain_inception.deploy.parts import build_network
from mmpretrain_inception.deploy.preparation import crop, load, resize

CLASSES = ('ant', 'bee', 'cat')
PREPARATION = (
    load(min_size=86),
    resize('short_edge', 'cv2', 'bilinear', size=86),
    crop('center', height=75, width=75),
)
NETWORK = dict(
    backbone=dict(type='InceptionV3', out_indices=[3, 4]),
    neck=dict(type='InceptionNeck'),
    head=dict(type='InceptionHead', num_classes=3, with_aux=True),
)
CONTRACT = Contract(
    3, 75, 75, (123.675, 116.28, 103.53), (58.395, 57.12, 57.375), 'RGB',
    classes=CLASSES, preparation=PREPARATION, network=NETWORK, config='tiny.py',
)  # fmt: skip


def randomised(network, seed=0):
    """Set weights by which images of noise get different scores."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, generator=generator)
        elif isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=0.5, generator=generator)
            torch.nn.init.zeros_(module.bias)
    return network


def write_checkpoint(path, meta=None):
    """Write a checkpoint as training does; ``meta`` replaces what it says of its use."""
    network = randomised(build_network(NETWORK, dict(type='ClsDataPreprocessor')))
    said = {KEY: CONTRACT.to_json(), 'dataset_meta': dict(classes=CLASSES), 'epoch': 3}
    torch.save(dict(meta=said if meta is None else meta, state_dict=network.state_dict()), path)
    return path


def picture(mode='RGB', size=(120, 90), seed=0):
    """Draw something like a photograph."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).convert(mode)


def encoded(image, kind, **options):
    """Return the content of a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
