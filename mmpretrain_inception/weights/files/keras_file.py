"""Read the weights of Keras: its two HDF5 layouts, and the zip around the newer one.

Layers come out as ``<kind>.<position>.<part>``, e.g. ``conv2d.17.kernel``, where the position counts the layers of a
kind in the order of their construction. A file shows that order only by the numbers at the end of layers' names, which
start anywhere, since they go on counting from model to model in a process.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.families.inception_v3.names import CONVOLUTIONS, keras_depth_order
from mmpretrain_inception.weights.files.archive import open_archive
from mmpretrain_inception.weights.files.hdf5 import check_numbers, read_attribute, read_dataset, walk_datasets

if TYPE_CHECKING:
    import h5py

MEMBER = 'model.weights.h5'
_MAX_BYTES = 2**29

# `.h5`: LAYER/.../part, below `model_weights` where the model is in the file too.
_LEGACY = re.compile(
    r'(?:model_weights/)?(?P<layer>[^/]+)/(?:.+/)?(?P<part>kernel|bias|gamma|beta|moving_mean|moving_variance)(?::0)?'
)
# `.weights.h5` and `.keras`: layers/LAYER/vars/NUMBER.
_NUMBERED = re.compile(r'layers/(?P<layer>[^/]+)/vars/(?P<part>\d+)')
_LAYER = re.compile(r'(?P<kind>conv2d|batch_normalization|dense)(?:_(?P<number>\d+))?')
_CLASSIFIER = 'predictions'

# The parts of a layer that `.weights.h5` only numbers, by kind and count.
_PARTS: dict[tuple[str, int], tuple[str, ...]] = {
    ('conv2d', 1): ('kernel',),
    ('batch_normalization', 3): ('beta', 'moving_mean', 'moving_variance'),
    ('batch_normalization', 4): ('gamma', 'beta', 'moving_mean', 'moving_variance'),
    ('dense', 2): ('kernel', 'bias'),
}

# Axes of PyTorch's layout in Keras's, by the kernel's number of axes: convolutions are H, W, in, out; dense in, out.
_AXES = {4: (3, 2, 0, 1), 2: (1, 0)}


class _Layer(NamedTuple):
    """A layer of the file.

    Attributes:
        kind: Its class in Keras's spelling, ``conv2d``, or the whole name of a layer that Inception V3 lacks.
        number: What stands behind the kind in its name.
        by_depth: Whether the number tells its depth in the graph and not the order of construction.
        parts: Its datasets.
    """

    kind: str
    number: int
    by_depth: bool
    parts: dict[str, h5py.Dataset]


def read_h5(file: BinaryIO, origin: str) -> dict[str, Any]:
    """Read the weights of an HDF5 file of Keras as ``state_dict``, with or without the classifier.

    Args:
        file: The file.
        origin: Its name, for messages.

    Raises:
        InputError: If the file is damaged or no file of Keras's weights, or h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise InputError(f"{origin} needs the library h5py; pip install 'mmpretrain-inception[keras]'") from error
    try:
        # In memory, so that nobody can change it between the checks and the reading.
        with h5py.File(io.BytesIO(file.read()), 'r') as content:
            return dict(state_dict=_read_layers(origin, _layers(walk_datasets(content, origin))), meta={})
    except InputError:
        raise
    # h5py raises anything on a damaged file.
    except Exception as error:
        text = ' '.join(str(error).split())[:160]
        raise InputError(f"{origin} is damaged, was cut short or is no file of Keras's weights ({text})") from error


def read_keras_archive(file: BinaryIO, origin: str) -> dict[str, Any]:
    """Read the weights of a ``.keras`` file; nothing is unpacked to disk, and the model in it is not built.

    Args:
        file: The file.
        origin: Its name, for messages.

    Raises:
        InputError: As :func:`read_h5`.
    """
    with open_archive(file, origin) as archive:
        member = archive.getinfo(MEMBER)
        if member.flag_bits & 1:
            raise InputError(f'{origin} is encrypted; expected a file of Keras')
        if member.file_size > _MAX_BYTES:
            raise InputError(f'{origin}: {MEMBER} is larger than any Inception V3 ({_MAX_BYTES} bytes)')
        weights = archive.read(MEMBER)
    return read_h5(io.BytesIO(weights), origin)


def _layers(datasets: dict[str, h5py.Dataset]) -> list[_Layer]:
    """Collect the datasets by layer."""
    groups: dict[str, dict[str, h5py.Dataset]] = {}
    for name, dataset in datasets.items():
        match = _NUMBERED.fullmatch(name) or _LEGACY.fullmatch(name)
        if match:
            groups.setdefault(match['layer'], {})[match['part']] = dataset
    return [_layer(name, parts) for name, parts in groups.items()]


def _layer(name: str, parts: dict[str, h5py.Dataset]) -> _Layer:
    match = _LAYER.fullmatch('dense' if name == _CLASSIFIER else name)
    if match is None:
        return _Layer(name, 0, False, parts)
    kind, number = match['kind'], int(match['number'] or 0)
    if '0' not in parts:
        return _Layer(kind, number, False, parts)
    names = _PARTS.get((kind, len(parts)), tuple(parts))
    own = _LAYER.fullmatch(read_attribute(parts['0'].parent, 'name'))
    parts = {part: parts[str(position)] for position, part in enumerate(names)}
    if own and own['kind'] == kind:
        return _Layer(kind, int(own['number'] or 0), False, parts)
    return _Layer(kind, number, True, parts)


def _read_layers(origin: str, layers: list[_Layer]) -> dict[str, Tensor]:
    if not layers:
        raise InputError(f"{origin} is an HDF5 file without Keras's weights")
    check_numbers([dataset for layer in layers for dataset in layer.parts.values()], origin)
    tensors: dict[str, Tensor] = {}
    for kind in sorted({layer.kind for layer in layers}):
        same = sorted((layer for layer in layers if layer.kind == kind), key=lambda layer: layer.number)
        for position, layer in zip(_positions(same), same):
            for part, dataset in layer.parts.items():
                tensors[f'{kind}.{position}.{part}'] = _tensor(origin, dataset)
    return tensors


def _positions(layers: list[_Layer]) -> Sequence[int]:
    """Return where each of the layers of a kind, sorted by number, comes in the order of construction."""
    if len(layers) == len(CONVOLUTIONS) and all(layer.by_depth for layer in layers):
        return keras_depth_order()
    return range(len(layers))


def _tensor(origin: str, dataset: h5py.Dataset) -> Tensor:
    array = read_dataset(dataset, origin)
    return torch.from_numpy(array.transpose(_AXES.get(array.ndim, range(array.ndim))).copy())
