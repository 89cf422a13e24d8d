"""Fit weights to a model, and refuse what would leave a part of it at its initialisation without a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights.convert import Weights
from mmpretrain_inception.weights.families.inception_v3.names import AUX_PREFIX, BLOCKS, FINAL_LAYERS, STEM

# TensorFlow's files count background as class 0 before ImageNet's 1000.
_CLASSES = 1000
_CLASSES_WITH_BACKGROUND = 1001

_LAYERS = (*STEM, *BLOCKS)
_FAULTS = ('missing', 'not in the model', 'of another shape')

Shapes = Mapping[str, Tensor]


class Fit(NamedTuple):
    """Weights that fill a model.

    Attributes:
        tensors: The state dict to load, under the model's names.
        kept: Names of the model that are not in it and stay at their initialisation.
        notes: Lines to log: what stays, what was left out, what was cut.
    """

    tensors: dict[str, Tensor]
    kept: tuple[str, ...]
    notes: tuple[str, ...]


class Mismatch(NamedTuple):
    """What keeps weights from filling a model.

    Attributes:
        missing: Names of the model that the weights lack.
        unexpected: Names of the weights that the model lacks.
        reshaped: ``name: shape in the file, shape in the model``.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]


def fit_to_model(weights: Weights, model: nn.Module | Shapes, new_classes: bool = False) -> Fit:
    """Choose from ``weights`` what ``model`` takes, and check that it fills the model.

    The background row of 1001 classes is cut for a model of 1000. A classifier, auxiliary or main, that the model lacks
    is left out, and so are layers behind the model's last one. An auxiliary classifier that the file lacks stays as it
    is, since evaluation does not use it.

    Args:
        weights: What ``load_weights`` or ``to_ours`` returned.
        model: An ``ImageClassifier`` or another model with a ``backbone``, the bare backbone, or a state dict of one.
        new_classes: Whether the final layers of both classifiers may be absent or of another number of classes, as for
            fine-tuning; they then stay at their initialisation. Defaults to False.

    Raises:
        InputError: If anything else of the model is not filled, or the weights are FID's and the model is not.
    """
    if isinstance(model, nn.Module):
        check_network(weights, model)
    target = model.state_dict() if isinstance(model, nn.Module) else model
    tensors, notes = _without_background(weights, target)
    tensors = _for_parts_of(target, tensors)
    layers = _staying(tensors, target, new_classes)
    kept = tuple(name for name in target if name.startswith(layers))
    tensors = {name: tensor for name, tensor in tensors.items() if name not in kept}
    refuse_mismatch(weights.origin, compare(tensors, {name: target[name] for name in target if name not in kept}))
    if layers:
        named = ', '.join(layer.removesuffix('.') for layer in layers)
        notes.append(f'{weights.origin} does not fill {named}: left at the initialisation')
    return Fit(tensors, kept, tuple(notes))


def compare(tensors: Shapes, target: Shapes) -> Mismatch:
    """Compare the names and shapes of two state dicts.

    Args:
        tensors: What is to be loaded.
        target: The state dict of the model.
    """
    reshaped = (
        f'{name}: {tuple(tensors[name].shape)} in the file, {tuple(target[name].shape)} in the model'
        for name in target
        if name in tensors and tensors[name].shape != target[name].shape
    )
    return Mismatch(
        tuple(name for name in target if name not in tensors),
        tuple(name for name in tensors if name not in target),
        tuple(reshaped),
    )


def refuse_mismatch(origin: str, mismatch: Mismatch) -> None:
    """Raise an error with the first few names of ``mismatch``, if it has any.

    Args:
        origin: The file that the weights come from.
        mismatch: What :func:`compare` found.

    Raises:
        InputError: If something is missing, unexpected or of another shape.
    """
    faults = [f'{what}: {list_some(names)}' for what, names in zip(_FAULTS, mismatch) if names]
    if faults:
        raise InputError(f'{origin} does not fill the model; {"; ".join(faults)}{_remedy(mismatch)}')


def _remedy(mismatch: Mismatch) -> str:
    """Return what to do where one of the two is in its deploy form and the other is not."""
    for form, names, others in (
        ('the file is in deploy form; set model.backbone.deploy=True', mismatch.unexpected, mismatch.missing),
        ('the model is in deploy form; leave out backbone.deploy=True', mismatch.missing, mismatch.unexpected),
    ):
        folded = any(name.endswith('.conv.bias') for name in names)
        if folded and any(name.endswith('.bn.running_mean') for name in others):
            return f'\n{form}'
    return ''


def check_network(weights: Weights, model: nn.Module) -> None:
    """Refuse FID's weights for a model that does not pool as FID's network does.

    Raises:
        InputError: If it does not.
    """
    if not weights.is_fid:
        return
    parts = dict(getattr(model, 'backbone', model).named_modules())
    pools = [getattr(parts.get(f'{block}.branch_pool'), 'pool', None) for block in ('Mixed_5b', 'Mixed_7c')]
    # A backbone that ends before one of the blocks has nothing to contradict there.
    if (pools[0] is None or not pools[0].count_include_pad) and (
        pools[1] is None or isinstance(pools[1], nn.MaxPool2d)
    ):
        return
    raise InputError(
        f'{weights.origin} is the network of 2015 that FID uses (1008 classes), which computes the published features '
        "only with backbone=dict(count_include_pad=False, last_pool='max')"
    )


def cut_background(tensors: dict[str, Tensor], layers: Iterable[str], num_classes: int | None) -> list[str]:
    """Cut class 0 of 1001 from final layers for a model of 1000 classes, in place.

    Args:
        tensors: A state dict.
        layers: Prefixes of the final layers in it.
        num_classes: Classes of the model.

    Returns:
        The names that were cut.
    """
    if num_classes != _CLASSES:
        return []
    names = [f'{layer}{part}' for layer in layers for part in ('weight', 'bias')]
    cut = [name for name in names if _length(tensors.get(name)) == _CLASSES_WITH_BACKGROUND]
    tensors.update({name: tensors[name][1:] for name in cut})
    return cut


def _without_background(weights: Weights, target: Shapes) -> tuple[dict[str, Tensor], list[str]]:
    tensors = dict(weights.tensors)
    cut = cut_background(tensors, FINAL_LAYERS, _length(target.get('head.fc.bias')))
    line = f'{weights.origin} has 1001 classes; the first of them, background, is left out'
    return tensors, [line] if cut else []


def _length(tensor: Tensor | None) -> int | None:
    return None if tensor is None or tensor.ndim == 0 else len(tensor)


def _for_parts_of(target: Shapes, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Leave out the classifiers and the last layers that the model does not have, and name the rest as it does."""
    if not any(name.startswith('backbone.') for name in target):
        tensors = {name.removeprefix('backbone.'): tensor for name, tensor in tensors.items()}
    absent = tuple(part for part in ('head.fc.', AUX_PREFIX) if _lacks(target, part))
    present = [position for position, layer in enumerate(_LAYERS) if any(f'{layer}.' in name for name in target)]
    behind = _LAYERS[max(present) + 1 :] if present else ()
    absent += tuple(f'{prefix}{layer}.' for layer in behind for prefix in ('', 'backbone.'))
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(absent)}


def _staying(tensors: Shapes, target: Shapes, new_classes: bool) -> tuple[str, ...]:
    """Return the prefixes of the layers that may stay at their initialisation and do."""
    layers = [AUX_PREFIX] if _lacks(tensors, AUX_PREFIX) and not _lacks(target, AUX_PREFIX) else []
    for layer in FINAL_LAYERS if new_classes else ():
        names = [name for name in target if name.startswith(layer) and not name.startswith(tuple(layers))]
        if any(_differs_in_classes(tensors.get(name), target[name]) for name in names):
            layers.append(layer)
    return tuple(layers)


def _lacks(tensors: Shapes, prefix: str) -> bool:
    return not any(name.startswith(prefix) for name in tensors)


def _differs_in_classes(tensor: Tensor | None, target: Tensor) -> bool:
    return tensor is None or (tensor.shape != target.shape and tensor.shape[1:] == target.shape[1:])
