"""Check what torch built from a file: only plain containers, and tensors that are not larger than the file."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.pickle_scan import MAX_VALUES

_MAX_DEPTH = 64
# Tensors may share storage, but together they may not claim more than this many times the size of the file.
_MAX_SHARING = 16
_LEAVES = (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device, torch.layout)
_CONTAINERS = (dict, list, tuple, set)


class Inert:
    """Replaces an unwanted object of a checkpoint: it accepts any arguments and state, and keeps nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


def check_content(content: Any, held: int, origin: str) -> None:
    """Refuse content that later steps cannot walk through, and tensors that claim more than the file holds.

    Args:
        content: The content of the file.
        held: Size of the file in bytes.
        origin: Its name, for messages.

    Raises:
        InputError: If containers contain themselves, too many others, or anything but plain values and tensors.
    """
    try:
        _Check(held).count(content, 0)
    except ValueError as error:
        raise InputError(f'{origin} was not opened: {error}') from error


class _Check:
    """One walk through the content of a file."""

    def __init__(self, held: int) -> None:
        self.held = held
        self.claimed = 0
        self.counted: dict[int, int | None] = {}

    def count(self, value: Any, depth: int) -> int:
        """Return the number of values in ``value``, with shared ones counted each time."""
        if isinstance(value, (*_LEAVES, Inert)):
            return 1
        if not isinstance(value, (Tensor, *_CONTAINERS)):
            raise ValueError(f'expected tensors and plain containers, got a {type(value).__name__}')
        if id(value) not in self.counted:
            self.counted[id(value)] = None
            self.counted[id(value)] = self._count_new(value, depth)
        total = self.counted[id(value)]
        if total is None:
            raise ValueError('one of its containers contains itself')
        if total > MAX_VALUES:
            raise ValueError(f'it expands to more than {MAX_VALUES:,} values')
        return total

    def _count_new(self, value: Any, depth: int) -> int:
        if isinstance(value, Tensor):
            self._check_tensor(value)
            return 1
        if depth == _MAX_DEPTH:
            raise ValueError(f'its containers are nested more than {_MAX_DEPTH} deep')
        if isinstance(value, OrderedDict) and vars(value).keys() - {'_metadata'}:
            raise ValueError(f'it sets attributes of a dict: {_some(vars(value))}')
        return 1 + sum(self.count(part, depth + 1) for part in _parts(value))

    def _check_tensor(self, tensor: Tensor) -> None:
        if vars(tensor):
            raise ValueError(f'it sets attributes of a tensor: {_some(vars(tensor))}')
        stored, claimed = tensor.untyped_storage().nbytes(), tensor.numel() * tensor.element_size()
        if claimed > stored or stored > self.held:
            raise ValueError(f'one of its tensors claims {max(claimed, stored):,} bytes, more than the file holds')
        self.claimed += claimed
        if self.claimed > _MAX_SHARING * self.held:
            raise ValueError(f'its tensors claim more than {_MAX_SHARING} times the size of the file')


def _parts(container: Any) -> Iterable[Any]:
    if not isinstance(container, dict):
        return container
    attributes = vars(container) if isinstance(container, OrderedDict) else {}
    return chain(container, container.values(), attributes.values())


def _some(attributes: Iterable[Any]) -> str:
    return ', '.join(str(name)[:30] for name in list(attributes)[:3])


def without_objects(content: Any) -> Any:
    """Return ``content`` without the stand-ins of objects, at any depth; shared parts stay shared."""
    return _without_objects(content, {})


def _without_objects(value: Any, done: dict[int, Any]) -> Any:
    if not isinstance(value, (dict, list, tuple)):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {
                key: _without_objects(item, done) for key, item in value.items() if not isinstance(item, Inert)
            }
        else:
            kept = [_without_objects(item, done) for item in value if not isinstance(item, Inert)]
            done[id(value)] = tuple(kept) if isinstance(value, tuple) else kept
    return done[id(value)]
