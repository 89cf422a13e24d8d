"""Which parts of a network a model has, and which of them may keep their initialisation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from torch import Tensor

from mmpretrain_inception.weights.compare import StateDict
from mmpretrain_inception.weights.families import Network
from mmpretrain_inception.weights.families.family import BACKBONE


class Parts(NamedTuple):
    """Prefixes of a model's names.

    Attributes:
        backbone: The backbone, '' where it is the whole model.
        head: The head; None if the model has none under our name.
        layers: All layers of the backbone, including those that the model does not have.
        final: The last layers of the model's classifiers, which depend on the classes.
        auxiliary: The auxiliary classifier.
        absent: The classifiers that the model does not have, and the layers after its last one.
        input_kernels: Names of the first kernel; a model has one of them.
    """

    backbone: str
    head: str | None
    layers: tuple[str, ...]
    final: tuple[str, ...]
    auxiliary: str
    absent: tuple[str, ...]
    input_kernels: tuple[str, ...]

    def is_other(self, name: str) -> bool:
        """Return whether a parameter of the model is outside the backbone and the two classifiers."""
        return not name.startswith((*self.layers, *self.final, self.auxiliary))

    def is_foreign(self, name: str) -> bool:
        """Return whether a name in a file is outside the backbone and the head."""
        return not name.startswith((self.backbone, self.head or self.backbone))


def parts_of(network: Network, names: Iterable[str]) -> Parts:
    """Return the parts of a network that a model has.

    Args:
        network: The network in the model.
        names: The model's names.
    """
    (family, place), listed = network, list(names)
    layers = tuple(place.of(f'{BACKBONE}{layer}.') for layer in family.layers)
    present = [position for position, layer in enumerate(layers) if _has(listed, layer)]
    classifiers = tuple(map(place.of, (*family.final_layers, family.auxiliary)))
    return Parts(
        place.backbone,
        place.head,
        layers,
        tuple(layer for layer in map(place.of, family.final_layers) if _has(listed, layer)),
        place.of(family.auxiliary),
        (*layers[max(present) + 1 :], *(prefix for prefix in classifiers if not _has(listed, prefix))),
        tuple(map(place.of, family.input_kernels)),
    )


def layers_left(tensors: StateDict, own: StateDict, parts: Parts, new_classes: bool, other_names: bool) -> list[str]:
    """Return the prefixes of the layers of a model that keep their initialisation.

    Args:
        tensors: The file's parameters, under the model's names.
        own: The state dict of the model.
        parts: The parts of the network that the model has.
        new_classes: Whether training starts from the file, so that more than the auxiliary classifier may be missing.
        other_names: Whether the classes of the file and the model have different names.
    """
    left = [parts.auxiliary] if _has(own, parts.auxiliary) and not _has(tensors, parts.auxiliary) else []
    if not new_classes:
        return left
    for layer in parts.final:
        names = [name for name in own if name.startswith(layer) and not name.startswith(tuple(left))]
        if names and (
            other_names or any(name not in tensors or _is_resized(tensors[name], own[name]) for name in names)
        ):
            left.append(layer)
    return [*left, *_others_left(tensors, own, parts)]


def _others_left(tensors: StateDict, own: StateDict, parts: Parts) -> Iterator[str]:
    modules: dict[str, list[str]] = {}
    for name in filter(parts.is_other, own):
        modules.setdefault(name.rpartition('.')[0], []).append(name)
    for module, names in modules.items():
        given = [name for name in names if name in tensors]
        if not given or any(_is_resized(tensors[name], own[name]) for name in given):
            yield from [f'{module}.'] if module else names


def _is_resized(tensor: Tensor, own: Tensor) -> bool:
    """Return whether two tensors differ only in the length of the first axis, as layers for other classes do."""
    return tensor.shape != own.shape and tensor.shape[1:] == own.shape[1:]


def _has(names: Iterable[str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in names)
