"""Compare weights with what a model needs: names, shapes, values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some

StateDict = Mapping[str, Tensor]

_FAULTS = ('missing', 'not in the model', 'of another shape')


class Mismatch(NamedTuple):
    """The differences between weights and a model.

    Attributes:
        missing: Names that only the model has.
        unexpected: Names that only the weights have.
        reshaped: ``name: shape in the file, shape in the model``.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]


def compare(tensors: StateDict, target: StateDict) -> Mismatch:
    """Compare the names and shapes of two state dicts.

    Args:
        tensors: The weights.
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
    """Raise an error that lists the first names of ``mismatch``, unless it is empty.

    Args:
        origin: The file, for the message.
        mismatch: The result of :func:`compare`.

    Raises:
        InputError: If something is missing, unexpected or of another shape.
    """
    faults = [f'{what}: {list_some(names)}' for what, names in zip(_FAULTS, mismatch) if names]
    if faults:
        raise InputError(f'{origin} does not fill the model; {"; ".join(faults)}{_remedy(mismatch)}')


def refuse_values(origin: str, tensors: StateDict, target: StateDict) -> None:
    """Refuse tensors without usable numbers.

    Args:
        origin: The file, for the message.
        tensors: The weights, by names of ``target``.
        target: The state dict of the model.

    Raises:
        InputError: If a tensor is sparse, quantised, complex, has no values or values that are not finite, or holds
            integers where the model has floating-point numbers. The message names the first one.
    """
    for name, tensor in tensors.items():
        fault = _fault(tensor, target[name])
        if fault:
            raise InputError(f'{origin}: {name} {fault}; expected finite numbers in a dense tensor')


def _fault(tensor: Tensor, target: Tensor) -> str | None:
    if tensor.is_meta:
        return 'has no values (it is on the meta device)'
    if tensor.layout != torch.strided:
        return f'is sparse ({tensor.layout})'
    if tensor.is_quantized:
        return f'is quantised ({tensor.dtype})'
    if tensor.is_complex() or (target.is_floating_point() and not tensor.is_floating_point()):
        return f'is of type {tensor.dtype}'
    # torch cannot compare 8-bit floating-point numbers.
    values = tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor
    return None if bool(torch.isfinite(values).all()) else 'holds NaN or infinity'


def _remedy(mismatch: Mismatch) -> str:
    """Return what to do if only one of file and model is in deploy form."""
    for form, names, others in (
        ('the file is in deploy form; set model.backbone.deploy=True', mismatch.unexpected, mismatch.missing),
        ('the model is in deploy form; remove model.backbone.deploy=True', mismatch.missing, mismatch.unexpected),
    ):
        folded = any(name.endswith('.conv.bias') for name in names)
        if folded and any(name.endswith('.bn.running_mean') for name in others):
            return f'\n{form}'
    return ''
