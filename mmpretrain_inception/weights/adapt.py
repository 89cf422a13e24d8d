"""Changes to weights that make them fit a model."""

from __future__ import annotations

from torch import Tensor

from mmpretrain_inception.weights.compare import StateDict
from mmpretrain_inception.weights.parts import Parts

# TensorFlow's files have background as class 0, before ImageNet's 1000.
_CLASSES = 1000
_CLASSES_WITH_BACKGROUND = 1001
_COLOURS = 3


def cut_background(tensors: StateDict, own: StateDict, parts: Parts) -> dict[str, Tensor]:
    """Return the final layers without class 0 (background) if the file has 1001 classes and the model has 1000.

    Args:
        tensors: The file's parameters, under the model's names.
        own: The state dict of the model.
        parts: The parts of the network that the model has.
    """
    names = [f'{layer}{part}' for layer in parts.final for part in ('weight', 'bias')]
    return {
        name: tensors[name][1:]
        for name in names
        if name in tensors
        and _length(own.get(name)) == _CLASSES
        and _length(tensors[name]) == _CLASSES_WITH_BACKGROUND
        and not tensors[name].is_sparse
    }


def adapt_input(tensors: StateDict, own: StateDict, parts: Parts) -> dict[str, Tensor]:
    """Return the first kernel adapted to images that do not have three channels, as timm does it.

    For one channel, the kernel is summed over the colours, so a grey image gives the same as its copy in all three
    channels. Otherwise the colours are repeated, and scaled so that the sum over the channels stays the same.

    Args:
        tensors: The file's parameters, under the model's names.
        own: The state dict of the model.
        parts: The parts of the network that the model has.
    """
    return {
        name: _with_channels(tensors[name], own[name].shape[1])
        for name in parts.input_kernels
        if name in tensors
        and name in own
        and tensors[name].ndim == own[name].ndim == 4
        and tensors[name].shape[1] == _COLOURS != own[name].shape[1]
    }


def _with_channels(kernel: Tensor, channels: int) -> Tensor:
    if channels == 1:
        return kernel.sum(dim=1, keepdim=True)
    repeats = -(-channels // _COLOURS)
    return kernel.repeat(1, repeats, 1, 1)[:, :channels] * (_COLOURS / channels)


def _length(tensor: Tensor | None) -> int | None:
    return None if tensor is None or tensor.ndim == 0 else len(tensor)
