"""Fold the normalisation of the input into the first layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_KERNEL = 'backbone.Conv2d_1a_3x3.conv.weight'
_MEAN = 'backbone.Conv2d_1a_3x3.bn.running_mean'


def fold_input_range(
    tensors: Mapping[str, Tensor],
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    trained_mean: float = 0.5,
    trained_std: float = 0.5,
) -> dict[str, Tensor]:
    """Make a network that was trained on [-1, 1] take ImageNet-normalised images, with the same results.

    With y the new input, the old one is ``a * y + b`` in each channel. The kernel is multiplied by ``a``. What ``b``
    adds to the convolution is the same at every pixel, because ``Conv2d_1a_3x3`` has no padding, so it is subtracted
    from the running mean of the batch norm. Computed in float64 and rounded once.

    Args:
        tensors: A state dict under our names.
        mean: Mean that the new input is normalised with, for pixels in [0, 1]. Defaults to ImageNet's.
        std: Standard deviation of each channel. Defaults to ImageNet's.
        trained_mean: Mean in training. Defaults to 0.5.
        trained_std: Deviation in training. Defaults to 0.5, which with that mean gives [-1, 1].

    Returns:
        The state dict with a new first kernel and a new first running mean.

    Raises:
        InputError: If the weights have no first layer.
    """
    for name in (_KERNEL, _MEAN):
        if name not in tensors:
            raise InputError(f'cannot fold the input range: expected a parameter {name}, got none')
    kernel = tensors[_KERNEL].double()
    scale = torch.tensor(std, dtype=torch.float64) / trained_std
    offset = (torch.tensor(mean, dtype=torch.float64) - trained_mean) / trained_std
    folded_mean = tensors[_MEAN].double() - (kernel.sum(dim=(2, 3)) @ offset)
    folded_kernel = kernel * scale[:, None, None]
    return {
        **tensors,
        _KERNEL: folded_kernel.to(tensors[_KERNEL].dtype),
        _MEAN: folded_mean.to(tensors[_MEAN].dtype),
    }
