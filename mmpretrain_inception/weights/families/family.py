"""What the package knows about a network: our names, those of publishers, and its optional parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from torch import Tensor, nn

from mmpretrain_inception.weights.publishers import PUBLISHERS

BACKBONE = 'backbone.'
HEAD = 'head.'


class Scheme(NamedTuple):
    """A publisher's names for the parameters.

    Attributes:
        name: A key of ``PUBLISHERS``.
        prefixes: Pairs of a prefix in the file and the prefix that replaces it in our names. The first match counts.
        classifier: Prefix of the main classifier, and of layers that users put in its place; '' if every unknown layer
            counts as one of these. Defaults to None: layers in its place already have our prefix.
    """

    name: str
    prefixes: tuple[tuple[str, str], ...]
    classifier: str | None = None

    @property
    def title(self) -> str:
        """Who uses these names, for messages."""
        return PUBLISHERS[self.name]

    def to_ours(self, name: str) -> str:
        """Return our name for the publisher's ``name``; a name that no prefix matches is returned unchanged."""
        for theirs, ours in self.prefixes:
            if name.startswith(theirs):
                return ours + name[len(theirs) :]
        return name


class Weights(NamedTuple):
    """A network's weights under our names.

    Attributes:
        tensors: Parameters and statistics, in the order of our state dict; unknown names come last, unchanged.
        scheme: Key of ``Family.schemes``: the names in the file.
        meta: Plain metadata of the file.
        origin: The file, for messages.
        family: The network.
        left_out: Names in the file that do not have the prefix of the network.
    """

    tensors: dict[str, Tensor]
    scheme: str
    meta: dict[str, Any]
    origin: str
    family: Family
    left_out: tuple[str, ...] = ()

    @property
    def num_classes(self) -> int | None:
        """Number of classes of the main classifier; None without one."""
        weight = self.tensors.get('head.fc.weight')
        return None if weight is None or weight.ndim == 0 else len(weight)


class Place(NamedTuple):
    """Where a model keeps the network.

    Attributes:
        backbone: Prefix of the backbone's names in the model, '' for a bare backbone.
        head: Prefix of its head; None if the model has none under our name.
    """

    backbone: str
    head: str | None

    def of(self, name: str) -> str:
        """Return what the model would call our parameter ``name``."""
        if name.startswith(BACKBONE):
            return self.backbone + name[len(BACKBONE) :]
        if self.head is not None and name.startswith(HEAD):
            return self.head + name[len(HEAD) :]
        return name


@dataclass(frozen=True)
class Family:
    """A network with weights from several publishers.

    Attributes:
        title: Its name, for messages.
        order: Our names of the published network's parameters, in the order of our state dict.
        variants: Further names of parameters, from the network's options.
        schemes: Publishers' names. If two explain a file equally well, the first one is used.
        layers: Layers of the backbone, in call order. A model may end after any of them.
        final_layers: Prefixes of the layers that depend on the classes.
        auxiliary: Prefix of the classifier that is used in training only, and may be missing in a file.
        after_auxiliary: Prefixes of what torchvision and timm construct after that classifier.
        input_kernels: The possible first kernels; a model has one of them.
        is_special: Whether weights need an unusual setting of the network.
        check_special: Refuses such weights for a model without that setting.
        special_meta: Metadata that marks such weights in a converted file.
        fold: Changes weights for images in [-1, 1] to weights for ImageNet-normalised images.
    """

    title: str
    order: tuple[str, ...]
    variants: tuple[str, ...]
    schemes: dict[str, Scheme]
    layers: tuple[str, ...]
    final_layers: tuple[str, ...]
    auxiliary: str
    after_auxiliary: tuple[str, ...]
    input_kernels: tuple[str, ...]
    is_special: Callable[[Weights], bool]
    check_special: Callable[[str, nn.Module], None]
    special_meta: dict[str, str]
    fold: Callable[[Mapping[str, Tensor]], dict[str, Tensor]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names that we use for the network's parameters."""
        return (*self.order, *self.variants)

    @cached_property
    def positions(self) -> dict[str, int]:
        """Position of each of our names in our state dict."""
        return {name: position for position, name in enumerate(self.order)}

    @cached_property
    def their_names(self) -> dict[str, frozenset[str]]:
        """The names in each scheme, by the scheme's name."""
        return {scheme.name: frozenset(_their_names(scheme, self.names)) for scheme in self.schemes.values()}

    def locate(self, names: Iterable[str]) -> Place | None:
        """Return where a model with these names has the network; None if it has none, or several."""
        bare = frozenset(name[len(BACKBONE) :] for name in self.names if name.startswith(BACKBONE))
        listed = list(names)
        found = most_common(count_prefixes(listed, bare))
        if len(found) != 1:
            return None
        root = found[0].removesuffix(BACKBONE)
        with_head = found[0].endswith(BACKBONE) and any(name.startswith(root + HEAD) for name in listed)
        return Place(found[0], root + HEAD if with_head else None)


class Network(NamedTuple):
    """A network in a model, and where."""

    family: Family
    place: Place


def networks_in(model: nn.Module) -> list[Any]:
    """Return the backbones in a model whose weights this package knows.

    Their class has an attribute ``family``. Names of parameters are not enough: models of other packages have the same.

    Args:
        model: Any model.
    """
    return [module for module in model.modules() if isinstance(getattr(type(module), 'family', None), Family)]


def count_prefixes(names: Iterable[str], known: frozenset[str]) -> Counter[str]:
    """Count, for each prefix, the names that are this prefix followed by a known name.

    Args:
        names: Names of parameters, e.g. ``model.Mixed_5b.branch1x1.conv.weight``.
        known: Names to look for. Prefixes end with a dot or are empty.
    """
    return Counter(prefix for name in names for prefix in _prefixes(name) if name[len(prefix) :] in known)


def most_common(counter: Counter[str]) -> list[str]:
    """Return the keys with the highest count, the shortest first; none if the counter is empty."""
    best = max(counter.values(), default=0)
    return sorted((key for key, count in counter.items() if count == best), key=len)


def _prefixes(name: str) -> Iterator[str]:
    yield ''
    for position, character in enumerate(name):
        if character == '.':
            yield name[: position + 1]


def _their_names(scheme: Scheme, ours: Iterable[str]) -> Iterator[str]:
    for name in ours:
        for theirs, prefix in scheme.prefixes:
            candidate = theirs + name[len(prefix) :]
            if name.startswith(prefix) and scheme.to_ours(candidate) == name:
                yield candidate
