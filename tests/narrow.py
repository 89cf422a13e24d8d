"""Inception V3 with an eighth of the channels, for tests whose subject is not the network.

Layers and names are those of the whole network; training and checkpoints cost a fraction. Between ``start`` and
``stop``, or in a module of tests that uses the fixture ``narrow``, this process builds such networks, and so do the
tools and commands that ``support`` runs.
"""

import os
from pathlib import Path

from mmpretrain.registry import MODELS
from torch import nn

from mmpretrain_inception.models.backbones.blocks import BasicConv2d
from mmpretrain_inception.models.heads.inception_head import InceptionAux, InceptionHead
from mmpretrain_inception.weights import from_ours

# Divides every number of channels of the network, which all are 32 or more.
SHARE = 8
WIDE = {cls: cls.__init__ for cls in (BasicConv2d, InceptionAux, InceptionHead)}


def thinner(channels):
    return channels // SHARE if channels >= 32 else channels


def convolution(self, in_channels, out_channels, *args, **settings):
    WIDE[BasicConv2d](self, thinner(in_channels), thinner(out_channels), *args, **settings)


def auxiliary(self, *args, **settings):
    WIDE[InceptionAux](self, *args, **settings)
    self.fc = nn.Linear(thinner(self.fc.in_features), self.fc.out_features)


def head(self, num_classes, in_channels=2048, *args, **settings):
    WIDE[InceptionHead](self, num_classes, thinner(in_channels), *args, **settings)
    self.aux_in_channels = thinner(self.aux_in_channels)


NARROW = {BasicConv2d: convolution, InceptionAux: auxiliary, InceptionHead: head}


def start():
    for cls, function in NARROW.items():
        cls.__init__ = function


def stop():
    for cls, function in WIDE.items():
        cls.__init__ = function


def active():
    return BasicConv2d.__init__ is convolution


def torchvision_weights(num_classes=10):
    """Return weights of chance under the names of torchvision's files."""
    backbone = dict(type='mmpretrain_inception.InceptionV3', out_indices=(3, 4))
    head = dict(type='mmpretrain_inception.InceptionHead', num_classes=num_classes, with_aux=True)
    model = MODELS.build(dict(type='mmpretrain.ImageClassifier', backbone=backbone, head=head))
    return from_ours(model.state_dict(), 'torchvision')


def environment():
    """Return what makes a Python process narrow, if this one is: ``narrow_start/sitecustomize.py`` on its path."""
    if not active():
        return {}
    tests = Path(__file__).parent
    before = os.environ.get('PYTHONPATH')
    return {'PYTHONPATH': os.pathsep.join(map(str, filter(None, (tests / 'narrow_start', tests, before))))}
