"""Check weights against the network itself, where no model is at hand."""

from __future__ import annotations

import torch
from torch import Tensor

from mmpretrain_inception.models import InceptionHead, InceptionV3
from mmpretrain_inception.weights.convert import Weights
from mmpretrain_inception.weights.families.inception_v3.names import AUX_PREFIX
from mmpretrain_inception.weights.fit import compare, refuse_mismatch


def check_whole(weights: Weights) -> None:
    """Check that every layer of Inception V3 is there in its shape; the classifiers only as far as there are any.

    Raises:
        InputError: If a name is missing, unknown or of another shape.
    """
    refuse_mismatch(weights.origin, compare(weights.tensors, _whole_network(weights.tensors)))


def _whole_network(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict, without storage, of the network with the classifiers that ``tensors`` has."""
    with torch.device('meta'):
        network = {f'backbone.{name}': tensor for name, tensor in InceptionV3().state_dict().items()}
        head = InceptionHead(_num_classes(tensors), with_aux=True).state_dict()
    network.update({f'head.{name}': tensor for name, tensor in head.items()})
    absent = tuple(part for part in ('head.fc.', AUX_PREFIX) if not any(name.startswith(part) for name in tensors))
    return {name: tensor for name, tensor in network.items() if not name.startswith(absent)}


def _num_classes(tensors: dict[str, Tensor]) -> int:
    biases = (tensors.get(name) for name in ('head.fc.bias', f'{AUX_PREFIX}fc.bias'))
    return next((len(bias) for bias in biases if bias is not None and bias.ndim == 1), 1000)
