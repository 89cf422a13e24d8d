"""Load weights into a model: open the file, rename its parameters, compare and check them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.logging import print_log
from torch import Tensor, nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights.adapt import adapt_input, cut_background
from mmpretrain_inception.weights.compare import StateDict, compare, refuse_mismatch, refuse_values
from mmpretrain_inception.weights.files.opener import Opened, class_names, open_weights
from mmpretrain_inception.weights.match import match_names
from mmpretrain_inception.weights.parts import Parts, layers_left, parts_of


class Loaded(NamedTuple):
    """Weights that fill a model.

    Attributes:
        state_dict: The tensors to load, in the order of the model's state dict.
        left_at_init: Names of the model that are not in it and keep their initialisation.
        notes: Lines to log: what keeps its initialisation, what was ignored, what was changed.
        meta: Plain metadata of the file.
    """

    state_dict: dict[str, Tensor]
    left_at_init: tuple[str, ...]
    notes: tuple[str, ...]
    meta: dict[str, Any]


def load(
    source: str | Path | Opened | Mapping[str, Any],
    target: nn.Module | StateDict,
    *,
    new_classes: bool = False,
    classes: Sequence[str] | None = None,
) -> Loaded:
    """Open weights of any publisher and fit them to a model. They have to fill all of it.

    If the file has 1001 classes and the model 1000, the first one (background) is dropped. Classifiers that the model
    does not have are ignored, and so are layers after its last one. An auxiliary classifier that is not in the file
    keeps its initialisation, because evaluation does not use it. Nothing is copied into the model; :func:`load_into`
    does that.

    Args:
        source: A file or address, the result of ``open_weights``, or a state dict in any containers.
        target: A model that contains the network, a bare backbone, any other model, or the state dict of one. A model
            without a known network needs a file with its own names.
        new_classes: Whether training starts from these weights. Then the final layers and layers outside the backbone
            may be missing or different in the file, and keep their initialisation. The first kernel is adapted if the
            model's images do not have three channels. Defaults to False.
        classes: Names of the model's classes. A file with other names is refused or, with ``new_classes``, its final
            layers are not used. Defaults to None: any names.

    Raises:
        InputError: If the file cannot be read, does not fill the rest of the model, has parameters that the model does
            not have, has a tensor without finite numbers, or needs another setting of the model.
    """
    opened = _opened(source)
    own = target.state_dict() if isinstance(target, nn.Module) else target
    tensors, network, special, notes = match_names(opened, own)
    layers: list[str] = []
    if network:
        if special and isinstance(target, nn.Module):
            network.family.check_special(opened.origin, target)
        parts = parts_of(network, own)
        tensors, lines = _adapted(tensors, own, parts, new_classes)
        layers = layers_left(tensors, own, parts, new_classes, _first_other_class(opened, classes) is not None)
        notes = (*notes, *(f'{opened.origin}: {line}' for line in (*lines, *_described(layers))))
        if not new_classes:
            _refuse_replaced_classifier(opened.origin, tensors, own, parts)
    if not new_classes:
        _refuse_other_classes(opened, classes)
    left = tuple(name for name in own if name.startswith(tuple(layers)))
    expected = {name: own[name] for name in own if name not in left}
    tensors = {name: tensor for name, tensor in tensors.items() if not name.startswith(tuple(layers))}
    refuse_mismatch(opened.origin, compare(tensors, expected))
    refuse_values(opened.origin, tensors, expected)
    return Loaded({name: tensors[name] for name in expected}, left, notes, dict(opened.meta))


def load_into(
    model: nn.Module, source: str | Path | Opened | Mapping[str, Any], *, new_classes: bool = False
) -> Loaded:
    """Load weights of any publisher into a model, as :func:`load` fits them, and log the changes.

    Args:
        model: The model.
        source: As for :func:`load`.
        new_classes: As for :func:`load`.

    Returns:
        The weights that were loaded.

    Raises:
        InputError: As :func:`load`.
    """
    opened = _opened(source)
    loaded = load(opened, model, new_classes=new_classes)
    model.load_state_dict(loaded.state_dict, strict=not loaded.left_at_init)
    for line in (*loaded.notes, f'Load checkpoint from {opened.origin}'):
        print_log(line, logger='current')
    return loaded


def _opened(source: str | Path | Opened | Mapping[str, Any]) -> Opened:
    if isinstance(source, Opened):
        return source
    if isinstance(source, Mapping):
        return Opened({}, {}, dict(source), 'the state dict')
    return open_weights(source)


def _adapted(
    tensors: StateDict, own: StateDict, parts: Parts, new_classes: bool
) -> tuple[dict[str, Tensor], list[str]]:
    """Drop what the model does not have and adapt the rest; return the tensors and a line for each change."""
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(parts.absent)}
    lines = []
    cut = cut_background(kept, own, parts)
    if cut:
        lines.append('1001 classes; the first one (background) is left out')
    if not new_classes:
        return {**kept, **cut}, lines
    kernel = adapt_input(kept, own, parts)
    lines += [f'{name} adapted to {len(tensor[0])} channel(s)' for name, tensor in kernel.items()]
    foreign = [name for name in kept if name not in own and parts.is_foreign(name)]
    lines += [f'ignored, because not in the model: {list_some(foreign)}'] if foreign else []
    return {name: tensor for name, tensor in {**kept, **cut, **kernel}.items() if name not in foreign}, lines


def _described(layers: Sequence[str]) -> list[str]:
    names = list_some([layer.removesuffix('.') for layer in layers])
    return [f'{names} left at initialisation (not in the file, or for other classes)'] if layers else []


def _refuse_replaced_classifier(origin: str, tensors: StateDict, own: StateDict, parts: Parts) -> None:
    for layer in parts.final:
        added = [name for name in tensors if name.startswith(layer) and name not in own]
        if added and any(name.startswith(layer) and name not in tensors for name in own):
            raise InputError(
                f'{origin} has other layers in place of {layer.removesuffix(".")}: {list_some(added)}; '
                'they cannot be evaluated, but training can start from the rest with load_from'
            )


def _first_other_class(opened: Opened, classes: Sequence[str] | None) -> int | None:
    """Return the first position at which a file names another class. Other numbers of classes show in the shapes."""
    found = class_names(opened.meta)
    if classes is None or len(found) != len(classes):
        return None
    return next((position for position, pair in enumerate(zip(found, classes)) if pair[0] != pair[1]), None)


def _refuse_other_classes(opened: Opened, classes: Sequence[str] | None) -> None:
    position = _first_other_class(opened, classes)
    if position is not None and classes is not None:
        raise InputError(
            f'{opened.origin}: class {position} is {class_names(opened.meta)[position]!r} in the file, but '
            f'{classes[position]!r} in the data; use the classes of the file, or start training from it with load_from'
        )
