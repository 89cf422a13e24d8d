"""Rename parameters: from any publisher's names to ours and back."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.families.inception_v3.names import AUX_PREFIX, OURS
from mmpretrain_inception.weights.families.inception_v3.schemes import SCHEMES, named_scheme, to_our_name, unwrapped
from mmpretrain_inception.weights.files.opener import open_weights

_POSITION = {name: position for position, name in enumerate(OURS)}
# torchvision and timm construct the auxiliary classifier where they call it, before these.
_BEHIND_AUX = ('backbone.Mixed_7', 'head.fc.')

TARGETS = ('ours', 'torchvision', 'timm')
# The network of 2015, by which FID is computed, and the metadata that says so in a converted file.
FID_CLASSES = 1008
FID = dict(network='fid')
# What a converted file keeps of a checkpoint's metadata.
_KEPT_META = ('dataset_meta', 'epoch')


class Weights(NamedTuple):
    """Weights of Inception V3 under our names.

    Attributes:
        tensors: Parameters and statistics, in the order of our state dict; names that are not Inception V3's come last,
            unchanged.
        scheme: Key of ``SCHEMES``: in whose names they came.
        meta: Plain metadata of the file.
        origin: The file, for messages.
    """

    tensors: dict[str, Tensor]
    scheme: str
    meta: dict[str, Any]
    origin: str

    @property
    def is_fid(self) -> bool:
        """Whether this is the network of 2015, which FID uses, by its publishers' names and its 1008 classes."""
        if self.meta.get('network') == FID['network'] or self.scheme == 'pytorch-fid':
            return True
        return self.scheme == 'torchvision' and self.num_classes == FID_CLASSES

    @property
    def num_classes(self) -> int | None:
        """Classes of the main classifier; None where there is none."""
        weight = self.tensors.get('head.fc.weight')
        return None if weight is None or weight.ndim == 0 else len(weight)

    @property
    def kept_meta(self) -> dict[str, Any]:
        """The metadata that goes on into a converted file."""
        kept = {key: self.meta[key] for key in _KEPT_META if key in self.meta}
        return {**kept, **FID} if self.is_fid else kept


def load_weights(path: str | Path, source: str = 'auto') -> Weights:
    """Read any published file and give its parameters our names.

    Args:
        path: A PyTorch, safetensors or Keras file, or a checkpoint of mmengine's Runner.
        source: Whose names it has: a key of ``SCHEMES`` or ``ALIASES``. Defaults to ``'auto'``: its names tell.

    Raises:
        InputError: If the file cannot be read safely, is not Inception V3, or has other names than ``source`` says.
    """
    opened = open_weights(path)
    return to_ours(opened.tensors, source, opened.meta, opened.origin)


def to_ours(
    tensors: Mapping[str, Tensor],
    source: str = 'auto',
    meta: Mapping[str, Any] | None = None,
    origin: str = 'the state dict',
) -> Weights:
    """Give the parameters of a state dict our names and our order.

    Keras's batch norm has no scale, and neither Keras nor old PyTorch files count batches: to a file without any of
    them a scale of 1 and a count of 0 are added.

    Args:
        tensors: A state dict in any scheme, from ``DistributedDataParallel`` or ``torch.compile`` too.
        source: As in :func:`load_weights`.
        meta: Metadata to keep. Defaults to none.
        origin: Where they come from, for messages. Defaults to ``'the state dict'``.

    Raises:
        InputError: If the names are not Inception V3's, or not ``source``'s, or two of them mean the same, or a value
            is no tensor.
    """
    bare = {unwrapped(name): tensor for name, tensor in tensors.items()}
    scheme = named_scheme(source, bare, origin)
    renamed = {to_our_name(name, scheme): tensor for name, tensor in bare.items()}
    for name, value in bare.items():
        if not isinstance(value, Tensor):
            raise InputError(f'{origin}: {name} is a {type(value).__name__}, but a tensor was expected')
    if len(renamed) < len(tensors):
        raise InputError(f'{origin} holds {len(tensors) - len(renamed)} parameters under two names each')
    ordered = dict(sorted(_with_whole_norms(renamed).items(), key=lambda item: _POSITION.get(item[0], len(OURS))))
    return Weights(ordered, scheme.name, dict(meta or {}), origin)


def from_ours(tensors: Mapping[str, Tensor], target: str) -> dict[str, Tensor]:
    """Give our parameters the names and the order that a publisher's ``state_dict()`` has.

    Args:
        tensors: A state dict under our names.
        target: ``'ours'``, ``'torchvision'`` or ``'timm'``. The latter two are the same; timm's model takes an
            auxiliary classifier only with ``aux_logits=True``.

    Raises:
        InputError: If ``target`` is none of them.
    """
    if target not in TARGETS:
        raise InputError(f'weights are written for {", ".join(TARGETS)}, but {target!r} came')
    if target == 'ours':
        return dict(tensors)
    prefixes = SCHEMES['torchvision'].prefixes
    return {_their_name(name, prefixes): tensors[name] for name in sorted(tensors, key=_their_position)}


def _their_name(name: str, prefixes: tuple[tuple[str, str], ...]) -> str:
    for theirs, ours in prefixes:
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    return name


def _their_position(name: str) -> tuple[int, int]:
    group = 1 if name.startswith(AUX_PREFIX) else 2 if name.startswith(_BEHIND_AUX) else 0
    return group, _POSITION.get(name, len(OURS))


def _with_whole_norms(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add what no batch norm of the file has; what only some of them lack is a fault that the caller is to see."""
    whole = dict(tensors)
    means = {name: mean for name, mean in tensors.items() if name.endswith('bn.running_mean')}
    if not any(name.endswith('bn.weight') for name in tensors):
        whole |= {name.replace('running_mean', 'weight'): torch.ones_like(mean) for name, mean in means.items()}
    if not any(name.endswith('bn.num_batches_tracked') for name in tensors):
        whole |= {name.replace('running_mean', 'num_batches_tracked'): torch.tensor(0) for name in means}
    return whole
