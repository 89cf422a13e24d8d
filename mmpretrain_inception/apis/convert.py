"""Converting a publisher's weights to ours, or to another publisher's names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models import InceptionHead, InceptionV3
from mmpretrain_inception.weights import Opened, from_ours, load, open_weights, to_ours, write_weights
from mmpretrain_inception.weights.families import INCEPTION_V3
from mmpretrain_inception.weights.families.inception_v3.fold import fold_input_range

# What a converted file keeps of a checkpoint's metadata.
_KEPT_META = ('dataset_meta', 'epoch')


def convert(src: str | Path, dst: str | Path, source: str = 'auto', to: str = 'ours', fold: bool = False) -> str:
    """Convert a file of weights, after a check that it holds a whole network.

    Args:
        src: A file or address, of any publisher.
        dst: The file to write, ``.pth`` or ``.safetensors``.
        source: Whose names ``src`` has. Defaults to ``'auto'``: the names tell.
        to: Whose names ``dst`` gets: ``'ours'``, ``'torchvision'`` or ``'timm'``. Defaults to ``'ours'``.
        fold: Whether to make a network that was trained on [-1, 1] take ImageNet-normalised images. Defaults to False.

    Returns:
        What was written, for the user.

    Raises:
        InputError: If ``src`` cannot be read, is not a whole network or has other names than ``source`` says, or
            ``dst`` cannot be written.
    """
    opened = open_weights(src)
    weights = to_ours(opened.tensors, source, opened.meta, opened.origin)
    if any(name.startswith('backbone.') and name.endswith('.conv.bias') for name in weights.tensors):
        raise InputError(f'{src} is in deploy form, without batch norms; convert the checkpoint that it was made from')
    ours = load(Opened(weights.tensors, weights.meta, {}, weights.origin), network_of(weights.tensors)).state_dict
    meta = {key: weights.meta[key] for key in _KEPT_META if key in weights.meta}
    if INCEPTION_V3.is_special(weights):
        meta |= INCEPTION_V3.special_meta
    tensors = fold_input_range(ours) if fold else ours
    write_weights(dst, from_ours(tensors, to), meta if to == 'ours' else None)
    return f'wrote {len(tensors)} tensors of {src} (scheme {weights.scheme}) to {dst}'


def network_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict, without values, of the variant of the network that weights are of.

    Args:
        tensors: Weights under our names. They show the stem, the image's channels and the classifiers.
    """
    kernel = next((tensors[name] for name in INCEPTION_V3.input_kernels if name in tensors), None)
    options: dict[str, Any] = dict(stem='7x7') if 'backbone.Conv2d_1a_7x7.conv.weight' in tensors else {}
    if kernel is not None and kernel.ndim == 4:
        options['in_channels'] = kernel.shape[1]
    aux_fc_norm = f'{INCEPTION_V3.auxiliary}conv1.conv.bias' not in tensors
    with torch.device('meta'):
        backbone = InceptionV3(**options).state_dict()
        head = InceptionHead(_num_classes(tensors), with_aux=True, aux_fc_norm=aux_fc_norm).state_dict()
    network = {f'backbone.{name}': tensor for name, tensor in backbone.items()}
    network |= {f'head.{name}': tensor for name, tensor in head.items()}
    absent = tuple(
        part for part in ('head.fc.', INCEPTION_V3.auxiliary) if not any(n.startswith(part) for n in tensors)
    )
    return {name: tensor for name, tensor in network.items() if not name.startswith(absent)}


def _num_classes(tensors: Mapping[str, Tensor]) -> int:
    biases = (tensors.get(name) for name in ('head.fc.bias', f'{INCEPTION_V3.auxiliary}fc.bias'))
    return next((len(bias) for bias in biases if bias is not None and bias.ndim == 1), 1000)
