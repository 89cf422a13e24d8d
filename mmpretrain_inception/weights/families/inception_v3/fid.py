"""FID's network of 2015: how its weights are recognised, and which models can use them."""

from __future__ import annotations

from typing import Any

from torch import nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.families.family import Weights
from mmpretrain_inception.weights.families.inception_v3.names import AUX_PREFIX

# Metadata of a converted file.
FID_META = dict(network='fid')
_CLASSES = 1008
# pytorch-fid and torch-fidelity publish the same file under names that contain this date.
_FILE_NAME = 'inception-2015-12-05'


def is_fid(weights: Weights) -> bool:
    """Return whether these are the weights of FID's network.

    The published file has torchvision's names, 1008 classes and no auxiliary classifier. Its batch counters are zero or
    missing, because it was not trained in PyTorch. Your own network with 1008 classes has counted its batches.
    """
    if weights.meta.get('network') == FID_META['network'] or weights.scheme == 'pytorch-fid':
        return True
    if weights.scheme != 'torchvision' or weights.num_classes != _CLASSES:
        return False
    if any(name.startswith(AUX_PREFIX) for name in weights.tensors):
        return False
    return _FILE_NAME in weights.origin or not any(
        _is_counting(tensor) for name, tensor in weights.tensors.items() if name.endswith('num_batches_tracked')
    )


def check_fid(origin: str, model: nn.Module) -> None:
    """Refuse FID's weights for a model whose pooling differs from that of FID's network.

    Args:
        origin: The file, for the message.
        model: A model that contains the backbone.

    Raises:
        InputError: If the pooling differs.
    """
    average, last = (_pool(model, block) for block in ('Mixed_5b', 'Mixed_7c'))
    # A backbone may end before one of the blocks.
    if (average is None or not average.count_include_pad) and (last is None or isinstance(last, nn.MaxPool2d)):
        return
    raise InputError(
        f"{origin} has the weights of FID's network of 2015, which pools differently; "
        "set model.backbone.count_include_pad=False and model.backbone.last_pool='max'"
    )


def _pool(model: nn.Module, block: str) -> Any:
    branch = next((part for name, part in model.named_modules() if name.endswith(f'{block}.branch_pool')), None)
    return getattr(branch, 'pool', None)


def _is_counting(tensor: Any) -> bool:
    return not tensor.is_meta and bool((tensor != 0).any())
