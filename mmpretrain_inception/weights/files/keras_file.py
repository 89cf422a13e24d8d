"""Read Keras's weights: its two HDF5 layouts, and the zip archive around the newer one.

Layers come out as ``<kind>.<position>.<part>``, e.g. ``conv2d.17.kernel``. The position counts the layers of a kind in
the order in which they were constructed. Keras numbers layers through a whole process, so the numbers in their names
start anywhere. Where a file shows only the depths of layers in the graph, they come out in that order as
``<kind>.depth.<position>.<part>``. Where a model contains another one, the layers of the network come first, then those
around it.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.archive import open_archive
from mmpretrain_inception.weights.files.hdf5 import check_numbers, read_attribute, read_dataset, walk

if TYPE_CHECKING:
    import h5py

MEMBER = 'model.weights.h5'
_MAX_BYTES = 2**29

# `.h5`: TOP/.../LAYER/PART, where TOP is a layer or a model inside the model. A file of the whole model has this in
# `model_weights`, and also the weights of the optimizer.
_WHOLE_MODEL = 'model_weights/'
# `.weights.h5` and `.keras`: layers/MODEL/layers/LAYER/vars/NUMBER, with as many models as contain each other.
_NUMBERED = re.compile(r'(?P<models>(?:layers/[^/]+/)*)layers/(?P<layer>[^/]+)/vars/(?P<part>\d+)')
_NUMBERED_START = 'layers/'
_LAYER = re.compile(r'(?P<kind>conv2d|batch_normalization|dense)(?:_(?P<number>\d+))?')
_CLASSIFIER = 'predictions'
# It has no weights, but a network that averages instead computes something else.
_MAX_POOLING = 'global_max_pooling2d'
_MAX_POOLING_CLASS = '"GlobalMaxPooling2D"'

# The parts of a layer that `.weights.h5` only numbers, by kind and count.
_PARTS: dict[tuple[str, int], tuple[str, ...]] = {
    ('conv2d', 1): ('kernel',),
    ('batch_normalization', 3): ('beta', 'moving_mean', 'moving_variance'),
    ('batch_normalization', 4): ('gamma', 'beta', 'moving_mean', 'moving_variance'),
    ('dense', 2): ('kernel', 'bias'),
}

# Axes of PyTorch's layout in Keras's, by the kernel's number of axes: convolutions are H, W, in, out; dense in, out.
_AXES = {4: (3, 2, 0, 1), 2: (1, 0)}


@dataclass(frozen=True)
class _Layer:
    """A layer with weights.

    Attributes:
        model: Path of the model that contains it; '' for the outermost.
        kind: Its class in Keras's spelling, such as ``conv2d``; its name if Inception V3 has no layer of this class.
        number: The number in its name, by the order of construction; None if the name does not tell.
        depth: The number in its path, by the depth in the graph; None in a layout without one.
        parts: Its datasets.
    """

    model: str
    kind: str
    number: int | None
    depth: int | None
    parts: dict[str, h5py.Dataset]


def read_h5(file: BinaryIO, origin: str) -> dict[str, Any]:
    """Read an HDF5 file of Keras as ``state_dict``, with or without the classifier.

    Args:
        file: The file.
        origin: Its name, for messages.

    Raises:
        InputError: If the file is damaged or not a file of Keras's weights, or h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{origin} needs the library h5py; pip install 'mmpretrain-inception[keras]'") from error
    try:
        # In memory, so that it cannot change between the checks and the reading.
        with h5py.File(io.BytesIO(file.read()), 'r') as content:
            return dict(state_dict=_read(content, origin), meta={})
    except InputError:
        raise
    # h5py raises anything on a damaged file.
    except Exception as error:
        text = ' '.join(str(error).split())[:160]
        raise InputError(f"{origin} is damaged, truncated, or not a file of Keras's weights ({text})") from error


def read_keras_archive(file: BinaryIO, origin: str) -> dict[str, Any]:
    """Read the weights of a ``.keras`` file. Nothing is unpacked to disk, and the model in it is not built.

    Args:
        file: The file.
        origin: Its name, for messages.

    Raises:
        InputError: As :func:`read_h5`.
    """
    with open_archive(file, origin) as archive:
        member = archive.getinfo(MEMBER)
        if member.flag_bits & 1:
            raise InputError(f'{origin} is encrypted; save it without encryption')
        if member.file_size > _MAX_BYTES:
            raise InputError(f'{origin}: {MEMBER} is larger than any Inception V3 ({_MAX_BYTES} bytes)')
        weights = archive.read(MEMBER)
    return read_h5(io.BytesIO(weights), origin)


def _read(content: h5py.File, origin: str) -> dict[str, Tensor]:
    """Return the tensors of a file, and an empty tensor for a layer that pools by the maximum."""
    import h5py

    items = walk(content, origin)
    datasets = {name: item for name, item in items.items() if isinstance(item, h5py.Dataset)}
    layers = list(_numbered_layers(datasets) if _is_numbered(datasets) else _named_layers(datasets))
    if not layers:
        raise InputError(f"{origin} is an HDF5 file without Keras's weights")
    check_numbers([dataset for layer in layers for dataset in layer.parts.values()], origin)
    tensors = {
        f'{name}.{part}': _tensor(dataset, origin)
        for name, layer in _by_position(layers)
        for part, dataset in layer.parts.items()
    }
    takes_maximum = any(name.rpartition('/')[2].startswith(_MAX_POOLING) for name in items)
    if takes_maximum or _MAX_POOLING_CLASS in read_attribute(content, 'model_config', _MAX_BYTES):
        tensors[f'{_MAX_POOLING}.0'] = torch.empty(0)
    return tensors


def _is_numbered(names: Iterable[str]) -> bool:
    return any(name.startswith(_NUMBERED_START) for name in names)


def _numbered_layers(datasets: dict[str, h5py.Dataset]) -> Iterator[_Layer]:
    """Yield the layers of `.weights.h5`."""
    groups: dict[tuple[str, str], dict[str, h5py.Dataset]] = {}
    for name, dataset in datasets.items():
        match = _NUMBERED.fullmatch(name)
        if match:
            groups.setdefault((match['models'], match['layer']), {})[match['part']] = dataset
    for (model, name), parts in groups.items():
        known = _LAYER.fullmatch(name)
        if known is None or '0' not in parts:
            yield _Layer(model, name, None, None, parts)
            continue
        kind = known['kind']
        names = _PARTS.get((kind, len(parts)), tuple(parts))
        # Newer versions of Keras 3 also store the names of the layers.
        own = _LAYER.fullmatch(read_attribute(parts['0'].parent, 'name'))
        number = int(own['number'] or 0) if own and own['kind'] == kind else None
        yield _Layer(
            model,
            kind,
            number,
            int(known['number'] or 0),
            {part: parts[str(position)] for position, part in enumerate(names)},
        )


def _named_layers(datasets: dict[str, h5py.Dataset]) -> Iterator[_Layer]:
    """Yield the layers of `.h5`."""
    is_whole = any(name.startswith(_WHOLE_MODEL) for name in datasets)
    groups: dict[str, dict[str, h5py.Dataset]] = {}
    for name, dataset in datasets.items():
        if name.startswith(_WHOLE_MODEL) or not is_whole:
            path, _, part = name.removeprefix(_WHOLE_MODEL).rpartition('/')
            groups.setdefault(path, {})[part.removesuffix(':0')] = dataset
    tops = Counter(path.partition('/')[0] for path in groups)
    for path, parts in groups.items():
        top, name = path.partition('/')[0], path.rpartition('/')[2]
        # The path of a layer's weights may contain the name of another model.
        model, name = (top, name) if tops[top] > 1 else ('', top if _LAYER.fullmatch(top) else name)
        known = _LAYER.fullmatch('dense' if _is_dense(name, parts) else name)
        if known is None:
            yield _Layer(model, name, None, None, parts)
        else:
            yield _Layer(model, known['kind'], int(known['number'] or 0), None, parts)


def _is_dense(name: str, parts: dict[str, h5py.Dataset]) -> bool:
    """Return whether a layer is a dense one, whatever it is called."""
    if name == _CLASSIFIER:
        return True
    return _LAYER.fullmatch(name) is None and parts.keys() == {'kernel', 'bias'} and parts['kernel'].ndim == 2


def _by_position(layers: list[_Layer]) -> Iterator[tuple[str, _Layer]]:
    """Yield each layer with its name by kind and position."""
    convolutions = Counter(layer.model for layer in layers if layer.kind == 'conv2d')
    most = max(convolutions.values(), default=0)
    networks = [model for model, count in convolutions.items() if count == most]
    if len(networks) > 1:
        for network in networks:
            inside = [layer for layer in layers if layer.model == network]
            yield from ((f'{_dotted(network)}.{name}', layer) for name, layer in _by_position(inside))
        layers, networks = [layer for layer in layers if layer.model not in networks], []
    for kind in sorted({layer.kind for layer in layers}):
        inside = [layer for layer in layers if layer.kind == kind and layer.model in networks]
        around = [layer for layer in layers if layer.kind == kind and layer.model not in networks]
        by_depth = bool(inside) and all(layer.number is None and layer.depth is not None for layer in inside)
        start = f'{kind}.depth' if by_depth else kind
        yield from ((f'{start}.{position}', layer) for position, layer in enumerate(_in_order(inside)))
        yield from ((f'{kind}.{position}', layer) for position, layer in enumerate(_in_order(around), len(inside)))


def _in_order(layers: list[_Layer]) -> list[_Layer]:
    """Sort the layers of one kind as they were constructed; those whose names do not show it come last, by depth."""
    return sorted(layers, key=lambda layer: (layer.number is None, layer.number or layer.depth or 0))


def _dotted(model: str) -> str:
    return '.'.join(part for part in model.split('/') if part and part != 'layers')


def _tensor(dataset: h5py.Dataset, origin: str) -> Tensor:
    array = np.asarray(read_dataset(dataset, origin))
    return torch.from_numpy(array.transpose(_AXES.get(array.ndim, range(array.ndim))).copy())
