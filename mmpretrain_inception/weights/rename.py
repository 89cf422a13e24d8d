"""Rename parameters: from any publisher's names to ours and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights.families import FAMILIES, Family, Scheme
from mmpretrain_inception.weights.families.family import HEAD, Place, Weights, count_prefixes, most_common
from mmpretrain_inception.weights.publishers import ALIASES, SOURCES, TARGETS

# Added to names by data-parallel training, torch.compile, FSDP and activation checkpointing.
_WRAPPERS = frozenset(('module', '_orig_mod', '_fsdp_wrapped_module', '_checkpoint_wrapped_module'))
# A counter that torch's averaged models keep with the parameters.
_COUNTERS = frozenset(('n_averaged',))


class Recognised(NamedTuple):
    """How a file names a network's parameters.

    Attributes:
        family: The network.
        scheme: The publisher's names.
        prefix: Prefix of all names, e.g. ``model.``.
        hits: Number of names that are recognised.
    """

    family: Family
    scheme: Scheme
    prefix: str
    hits: int


def recognise(names: Iterable[str], origin: str = 'the state dict', source: str = 'auto') -> Recognised | None:
    """Find the network, scheme and prefix that explain most names; None if they explain none.

    Args:
        names: The names in the file.
        origin: The file, for messages. Defaults to ``'the state dict'``.
        source: Only consider this scheme. Defaults to ``'auto'``: all of them.

    Raises:
        InputError: If the file holds the network several times.
    """
    listed = list(names)
    best: Recognised | None = None
    for family in FAMILIES:
        for scheme in family.schemes.values():
            if source not in ('auto', scheme.name):
                continue
            counts = count_prefixes(listed, family.their_names[scheme.name])
            prefixes = most_common(counts)
            if not prefixes:
                continue
            candidate = Recognised(family, scheme, prefixes[0], counts[prefixes[0]])
            if best and _rank(candidate, listed) <= _rank(best, listed):
                continue
            if len(prefixes) > 1 and 2 * counts[prefixes[0]] > len(family.order):
                raise InputError(
                    f'{origin} holds {family.title} {len(prefixes)} times, under {list_some(prefixes)}; '
                    'save the state dict of one of them'
                )
            best = candidate
    return best


def require(found: Recognised | None, names: Sequence[str], origin: str) -> Recognised:
    """Return ``found``, or raise an error if it explains less than half of the names.

    Args:
        found: The result of :func:`recognise`.
        names: The names in the file.
        origin: The file, for the message.

    Raises:
        InputError: If ``found`` is None or explains too few names.
    """
    count = 0 if found is None else found.hits
    inside = [name for name in names if found is None or name.startswith(found.prefix)]
    if found is None or 2 * count <= len(inside):
        titles = ' or '.join(family.title for family in FAMILIES)
        raise InputError(
            f'{origin} is not {titles}: only {count} of its {len(names)} names are known '
            f'(its first names: {", ".join(names[:3]) or "none"})'
        )
    return found


def detect_scheme(names: Iterable[str], origin: str = 'the state dict') -> Scheme:
    """Return the publisher's scheme of a file's names.

    Args:
        names: The names in the file.
        origin: The file, for the message. Defaults to ``'the state dict'``.

    Raises:
        InputError: If less than half of the names belong to a known network.
    """
    listed = list(names)
    return require(recognise(listed, origin), listed, origin).scheme


def to_ours(
    tensors: Mapping[str, Tensor],
    source: str = 'auto',
    meta: Mapping[str, Any] | None = None,
    origin: str = 'the state dict',
) -> Weights:
    """Give the parameters of a state dict our names and our order.

    Keras's batch norm has no scale, and files of Keras and of old PyTorch versions have no batch counters. If no batch
    norm in the file has them, scales of 1 and counters of 0 are added.

    Args:
        tensors: A state dict with any publisher's names, which may share a prefix such as Lightning's ``model.``.
        source: One of ``SOURCES``. Defaults to ``'auto'``: detected from the names.
        meta: Metadata to keep. Defaults to none.
        origin: The file, for messages. Defaults to ``'the state dict'``.

    Raises:
        InputError: If the network is unknown, the names are not those of ``source``, two names mean the same parameter,
            or a value is not a tensor.
    """
    bare = unwrapped(tensors, origin)
    found = _named(source, bare, origin)
    inside = {name[len(found.prefix) :]: tensor for name, tensor in bare.items() if name.startswith(found.prefix)}
    ours = _our_names(inside, found)
    renamed = {ours[name]: tensor for name, tensor in inside.items()}
    for name, value in inside.items():
        if not isinstance(value, Tensor):
            raise InputError(f'{origin}: {name}: expected a tensor, got a {type(value).__name__}')
    positions = found.family.positions
    last = len(positions)
    ordered = dict(sorted(with_whole_norms(renamed).items(), key=lambda item: positions.get(item[0], last)))
    left_out = tuple(name for name in bare if not name.startswith(found.prefix))
    return Weights(ordered, found.scheme.name, dict(meta or {}), origin, found.family, left_out)


def rename_in_place(state_dict: dict[str, Any], prefix: str, own: Iterable[str], place: Place) -> None:
    """Rename parameters to the names in a module. Parameters that are not recognised keep their names.

    Args:
        state_dict: A state dict with any names. It is changed.
        prefix: Prefix of the module's names in it; other names are not changed.
        own: The module's names. If the state dict has at least as many of these as of a publisher's, nothing changes.
        place: Where the module keeps the network.

    Raises:
        InputError: As :func:`to_ours`.
    """
    inside = {name[len(prefix) :]: value for name, value in state_dict.items() if name.startswith(prefix)}
    own_count = len(inside.keys() & set(own))
    if own_count == len(inside):
        return
    found = recognise(inside)
    if found is None or found.hits <= own_count or 2 * found.hits <= len(inside):
        return
    for name in inside:
        del state_dict[prefix + name]
    state_dict.update({prefix + place.of(name): value for name, value in to_ours(inside).tensors.items()})


def with_whole_norms(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add scales of 1 and batch counters of 0 if no batch norm has them.

    If only some lack them, they stay missing.

    Args:
        tensors: The state dict, under our names.
    """
    whole = dict(tensors)
    means = {name: mean for name, mean in tensors.items() if name.endswith('bn.running_mean')}
    if not any(name.endswith('bn.weight') for name in tensors):
        whole |= {name.replace('running_mean', 'weight'): torch.ones_like(mean) for name, mean in means.items()}
    if not any(name.endswith('bn.num_batches_tracked') for name in tensors):
        whole |= {name.replace('running_mean', 'num_batches_tracked'): torch.tensor(0) for name in means}
    return whole


def from_ours(tensors: Mapping[str, Tensor], target: str) -> dict[str, Tensor]:
    """Give our parameters the names and the order of a publisher's ``state_dict()``.

    Args:
        tensors: A state dict with our names.
        target: ``'ours'``, ``'torchvision'`` or ``'timm'``. The latter two are the same; timm's model takes an
            auxiliary classifier only with ``aux_logits=True``.

    Raises:
        InputError: If ``target`` is none of them, or the names are not ours.
    """
    if target not in TARGETS:
        raise InputError(f'expected {", ".join(TARGETS)} as the names to write, got {target!r}')
    if target == 'ours':
        return dict(tensors)
    names = list(tensors)
    family = require(recognise(names, source='ours'), names, 'the state dict').family
    prefixes = family.schemes['torchvision'].prefixes
    ordered = sorted(tensors, key=lambda name: _their_position(name, family))
    return {_their_name(name, prefixes): tensors[name] for name in ordered}


def unwrapped(tensors: Mapping[str, Any], origin: str = 'the state dict') -> dict[str, Any]:
    """Return a state dict without the parts of names that wrappers add, such as ``module.`` and ``_orig_mod.``.

    Args:
        tensors: The state dict.
        origin: The file, for the message. Defaults to ``'the state dict'``.

    Raises:
        InputError: If two names mean the same parameter.
    """
    bare = {
        '.'.join(part for part in str(name).split('.') if part not in _WRAPPERS): value
        for name, value in tensors.items()
        if name not in _COUNTERS
    }
    missing = sum(name not in _COUNTERS for name in tensors) - len(bare)
    if missing:
        raise InputError(f'{origin}: expected one name for each parameter, got two for {missing} of them')
    return bare


def _rank(found: Recognised, names: Sequence[str]) -> tuple[int, int, int]:
    """Return a key that is larger for the better of two explanations of a file.

    A shorter prefix leaves fewer names unexplained. A bare backbone and a network with a replaced classifier have the
    same known names, and differ in the names that belong to a classifier.
    """
    start = len(found.prefix)
    inside = (name[start:] for name in names if name.startswith(found.prefix))
    return found.hits, -start, sum(found.scheme.to_ours(name).startswith(HEAD) for name in inside)


def _named(source: str, names: Mapping[str, Any], origin: str) -> Recognised:
    """Return the scheme that the user named, if the file uses it."""
    listed = list(names)
    found = require(recognise(listed, origin), listed, origin)
    if source == 'auto':
        return found
    name = ALIASES.get(source, source)
    if name not in found.family.schemes:
        raise InputError(f'expected one of {", ".join(SOURCES)} as the source, got {source!r}')
    named = recognise(listed, origin, name)
    if named is None or named.hits < found.hits:
        scheme = found.family.schemes[name]
        raise InputError(f'{origin}: expected the names of {scheme.title}, got those of {found.scheme.title}')
    return named


def _our_names(names: Iterable[str], found: Recognised) -> dict[str, str]:
    """Return our name for each name in the file."""
    scheme, listed = found.scheme, list(names)
    ours = {name: scheme.to_ours(name) for name in listed}
    root, known = scheme.classifier, found.family.their_names[scheme.name]
    if root is None:
        return ours
    added = {name for name in listed if name not in known and name.startswith(root)}
    # If there are added layers, the layer with the name of the classifier is one of them.
    added |= {name for name in listed if added and ours[name].startswith('head.')}
    return {name: f'head.fc.{name}' if name in added else our_name for name, our_name in ours.items()}


def _their_name(name: str, prefixes: tuple[tuple[str, str], ...]) -> str:
    for theirs, ours in prefixes:
        if name.startswith(ours):
            return theirs + name[len(ours) :]
    return name


def _their_position(name: str, family: Family) -> tuple[int, int]:
    group = 1 if name.startswith(family.auxiliary) else 2 if name.startswith(family.after_auxiliary) else 0
    return group, family.positions.get(name, len(family.order))
