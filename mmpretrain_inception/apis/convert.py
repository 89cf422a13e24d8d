"""Convert weights of one publisher to the names of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from mmpretrain_inception.deploy.contract import KEY, Contract
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference.load import contract_of, published_contract
from mmpretrain_inception.registry import MODELS
from mmpretrain_inception.weights import Opened, from_ours, load, open_weights, to_ours, write_weights
from mmpretrain_inception.weights.families import Family
from mmpretrain_inception.weights.families.inception_v3.fold import IMAGENET_MEAN, IMAGENET_STD
from mmpretrain_inception.weights.metafile import address_of, is_published, name_of
from mmpretrain_inception.weights.published import find

# Metadata of a checkpoint that a converted file keeps.
_KEPT_META = ('dataset_meta', 'epoch')
# Mean and deviation of pixels that are normalised to [-1, 1].
_HALF = 127.5


def convert(src: str | Path, dst: str | Path, source: str = 'auto', to: str = 'ours', fold: bool = False) -> str:
    """Convert a file of weights, if it contains a complete network.

    Args:
        src: A file or address, of any publisher.
        dst: The file to write, ``.pth`` or ``.safetensors``.
        source: Publisher whose names ``src`` uses. Defaults to ``'auto'``: detected from the names.
        to: Publisher whose names ``dst`` gets: ``'ours'``, ``'torchvision'`` or ``'timm'``. Defaults to ``'ours'``.
        fold: Whether to make a network that was trained on [-1, 1] take ImageNet-normalised images. Defaults to False.

    Returns:
        A line for the user about what was written.

    Raises:
        InputError: If ``src`` cannot be read, is not a complete network or does not use the names of ``source``, or if
            ``dst`` cannot be written.
    """
    opened = open_weights(src)
    weights = to_ours(opened.tensors, source, opened.meta, opened.origin)
    if any(name.startswith('backbone.') and name.endswith('.conv.bias') for name in weights.tensors):
        raise InputError(f'{src} is in deploy form, without batch norms; convert the checkpoint that it was made from')
    family = weights.family
    reference = _reference(family, weights.tensors)
    ours = load(Opened(weights.tensors, weights.meta, {}, weights.origin), reference).state_dict
    meta = {key: weights.meta[key] for key in _KEPT_META if key in weights.meta}
    if family.is_special(weights):
        meta |= family.special_meta
    tensors = family.fold(ours) if fold else ours
    contract = _contract(opened, str(src), fold)
    if contract is not None:
        meta[KEY] = contract.to_json()
    write_weights(dst, from_ours(tensors, to), meta if to == 'ours' else None)
    return f'wrote {len(tensors)} tensors of {src} (scheme {weights.scheme}) to {dst}'


def _contract(opened: Opened, src: str, fold: bool) -> Contract | None:
    """Return how the converted weights are used, if the file or the table of published weights says that."""
    if is_published(src):
        contract = published_contract(find(name_of(address_of(src))))
    else:
        try:
            contract = contract_of(opened)
        except InputError:
            return None
    if not fold:
        return contract
    if (*contract.mean, *contract.std) != (_HALF,) * 6:
        return None
    mean, std = (tuple(255 * value for value in values) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return replace(contract, mean=mean, std=std)


def _reference(family: Family, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the state dict, without values, of the variant of the network that has these weights."""
    kinds = (kind for kind in MODELS.module_dict.values() if getattr(kind, 'family', None) is family)
    with torch.device('meta'):
        network = MODELS.build(next(kinds).classifier_for(tensors)).state_dict()
    classifier = family.final_layers[0]
    has_classifier = any(name.startswith(classifier) for name in tensors)
    return {name: tensor for name, tensor in network.items() if has_classifier or not name.startswith(classifier)}
