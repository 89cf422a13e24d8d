"""The layers between the image and the 35x35 grid, in the variants of the paper's tables 2 and 3.

For smaller images, the paper (arXiv:1512.00567, section 9) keeps the cost constant: the first layer has stride 1 and,
at the smallest size, there is no first pool. Table 3 starts with a 7x7 convolution, which its row "factorized 7x7"
replaces by three 3x3 convolutions; both turn an image of 299 x 299 into 147 x 147 x 64.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.backbones.blocks import BasicConv2d

# The choices of each option.
_CHOICES: dict[str, tuple[Any, ...]] = dict(
    stem=('3x3', '7x7'), stem_stride=(1, 2), stem_pool=(True, False), stem_pool2_padding=(0, 1)
)
# (kernel, stride, padding) of the reductions behind the second pool: Mixed_6a and Mixed_7a.
_REDUCTIONS = [(3, 2, 0), (3, 2, 0)]


class Stage(NamedTuple):
    """An output of the backbone.

    Attributes:
        name: The layer that produces it, the last one of the stage.
        channels: Channels of the map.
        stride: Input pixels per pixel of the map, at sizes where nothing is rounded.
    """

    name: str
    channels: int
    stride: int


class Stem(NamedTuple):
    """The options of the stem, and what they imply.

    Attributes:
        kernel: ``'3x3'`` for three convolutions or ``'7x7'`` for one. Defaults to ``'3x3'``.
        stride: Stride of the first layer, 1 or 2. Defaults to 2.
        pool: Whether there is a first pool. Defaults to True.
        pool2_padding: Padding of the second pool in pixels, 0 or 1. Defaults to 0.
        in_channels: Channels of the images. Defaults to 3.
    """

    kernel: str = '3x3'
    stride: int = 2
    pool: bool = True
    pool2_padding: int = 0
    in_channels: int = 3

    def check(self) -> None:
        """Check the options.

        Raises:
            InputError: If an option is not among its choices.
        """
        for (name, choices), value in zip(_CHOICES.items(), self):
            if value not in choices:
                raise InputError(f'{name}: expected {" or ".join(map(repr, choices))}, got {value!r}')
        if type(self.in_channels) is not int or self.in_channels < 1:
            raise InputError(f'in_channels: expected a whole number from 1 on, got {self.in_channels!r}')

    def layers(self, norm_cfg: dict[str, Any]) -> Iterator[tuple[str, nn.Module]]:
        """Yield the layers with their names in call order.

        Args:
            norm_cfg: mmcv's config of the normalisation.
        """
        conv = partial(BasicConv2d, norm_cfg=norm_cfg)
        # On the right the output for 3 x 299 x 299 with the default stride and pools.
        if self.kernel == '7x7':
            yield 'Conv2d_1a_7x7', conv(self.in_channels, 64, 7, stride=self.stride)  # 64 x 147 x 147
        else:
            yield 'Conv2d_1a_3x3', conv(self.in_channels, 32, 3, stride=self.stride)  # 32 x 149 x 149
            yield 'Conv2d_2a_3x3', conv(32, 32, 3)  # 32 x 147 x 147
            yield 'Conv2d_2b_3x3', conv(32, 64, 3, padding=1)  # 64 x 147 x 147
        if self.pool:
            yield 'maxpool1', nn.MaxPool2d(3, stride=2)  # 64 x 73 x 73
        yield 'Conv2d_3b_1x1', conv(64, 80, 1)  # 80 x 73 x 73
        yield 'Conv2d_4a_3x3', conv(80, 192, 3)  # 192 x 71 x 71
        yield 'maxpool2', nn.MaxPool2d(3, stride=2, padding=self.pool2_padding)  # 192 x 35 x 35

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The outputs of a backbone with this stem."""
        stride = self.stride * (2 if self.pool else 1)
        return (
            Stage('Conv2d_1a_7x7' if self.kernel == '7x7' else 'Conv2d_2b_3x3', 64, self.stride),
            Stage('Conv2d_4a_3x3', 192, stride),
            Stage('Mixed_5d', 288, 2 * stride),
            Stage('Mixed_6e', 768, 4 * stride),
            Stage('Mixed_7c', 2048, 8 * stride),
        )

    @property
    def min_size(self) -> int:
        """Side in pixels of the smallest image for a backbone with this stem: its last map is one pixel."""
        windows = [(7, self.stride, 0)] if self.kernel == '7x7' else [(3, self.stride, 0), (3, 1, 0)]
        windows += [(3, 2, 0)] if self.pool else []
        windows += [(3, 1, 0), (3, 2, self.pool2_padding), *_REDUCTIONS]
        side = 1
        for kernel, stride, padding in reversed(windows):
            side = (side - 1) * stride + kernel - 2 * padding
        return side
