"""Rename the parameters of a file to the names that a model has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights.compare import StateDict
from mmpretrain_inception.weights.families import FAMILIES, Network, Place
from mmpretrain_inception.weights.families.family import HEAD, Weights, count_prefixes, most_common
from mmpretrain_inception.weights.files.containers import AVERAGES, find_state_dict
from mmpretrain_inception.weights.files.opener import Opened
from mmpretrain_inception.weights.rename import recognise, require, to_ours, unwrapped, with_whole_norms


class Matched(NamedTuple):
    """A file's parameters under a model's names.

    Attributes:
        tensors: The parameters, including those that the model does not have.
        network: The known network in the model; None if there is none.
        special: Whether the weights need an unusual setting of the network.
        notes: Lines to log.
    """

    tensors: dict[str, Tensor]
    network: Network | None
    special: bool
    notes: tuple[str, ...]


def match_names(opened: Opened, own: StateDict) -> Matched:
    """Rename a file's parameters to a model's names.

    A publisher's file fills the network in the model, and a file of the model itself fills all of it. The names show
    which it is. They may share any prefix.

    Args:
        opened: The file.
        own: The state dict of the model.

    Raises:
        InputError: If the file is neither.
    """
    keys, content = find_state_dict(opened.checkpoint or opened.tensors)
    notes = [f'{opened.origin}: using the averaged weights in {keys[0]}'] if {*keys} & {*AVERAGES} else []
    own_names = frozenset(own)
    tensors = dict(content) if own_names.issuperset(content) else unwrapped(content, opened.origin)
    network = find_network(own)
    counts = count_prefixes(tensors, own_names)
    prefix = next(iter(most_common(counts)), '')
    theirs = recognise(tensors, opened.origin)
    if network and 2 * max(counts[prefix], theirs.hits if theirs else 0) <= len(tensors):
        require(theirs, list(tensors), opened.origin)
    special = False
    if theirs is None or theirs.hits <= counts[prefix]:
        left_out = tuple(name for name in tensors if not name.startswith(prefix))
        renamed = _own_tensors(tensors, prefix, own_names, opened.origin)
        if network:
            special = network.family.is_special(Weights(renamed, 'ours', opened.meta, opened.origin, network.family))
    else:
        weights = to_ours(tensors, meta=opened.meta, origin=opened.origin)
        left_out, renamed = weights.left_out, _placed(weights.tensors, network.place if network else None)
        special = network is not None and network.family.is_special(weights)
    if left_out:
        notes.append(f'{opened.origin}: ignored, because not part of the network: {list_some(left_out)}')
    return Matched(renamed, network, special, tuple(notes))


def find_network(own: StateDict) -> Network | None:
    """Return the known network in a model; None if there is none, or several.

    Args:
        own: The state dict of the model.
    """
    for family in FAMILIES:
        place = family.locate(own)
        if place is not None:
            return Network(family, place)
    return None


def _placed(tensors: Mapping[str, Tensor], place: Place | None) -> dict[str, Tensor]:
    """Return parameters under a model's names, without the head if the model has none under our name."""
    if place is None:
        return dict(tensors)
    kept = {name: tensor for name, tensor in tensors.items() if place.head is not None or not name.startswith(HEAD)}
    return {place.of(name): tensor for name, tensor in kept.items()}


def _own_tensors(tensors: Mapping[str, Any], prefix: str, own: frozenset[str], origin: str) -> dict[str, Tensor]:
    """Return the parameters of a file that has the model's names after a prefix."""
    inside = {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    for name, value in inside.items():
        if not isinstance(value, Tensor):
            raise InputError(f'{origin}: {name}: expected a tensor, got a {type(value).__name__}')
    added = {name: tensor for name, tensor in with_whole_norms(inside).items() if name in own}
    return {**added, **inside}
