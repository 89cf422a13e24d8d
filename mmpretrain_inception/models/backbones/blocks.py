"""The building blocks of Inception V3.

Layers have the names of published checkpoints: TensorFlow's for stages, torchvision's for branches. Every block creates
its layers in the order in which it calls them, branch by branch.

Sources: "Rethinking the Inception Architecture for Computer Vision" (arXiv:1512.00567), figures 5 to 7 and 10, and
TensorFlow's ``research/slim/nets/inception_v3.py``, which decides what the paper leaves open (its 35x35 blocks have a
real 5x5 convolution where figure 5 shows two 3x3).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from mmcv.cnn import build_norm_layer
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

BATCH_NORM: dict[str, Any] = dict(type='BN')
# TensorFlow's value; PyTorch's default is 1e-5.
_EPSILON = 1e-3


def truncated_normal(layer: str, std: float) -> dict[str, Any]:
    """Return an ``init_cfg`` that draws the weights of ``layer`` as TensorFlow's ``truncated_normal`` does.

    TensorFlow redraws values beyond two standard deviations; mmengine takes the bounds as absolute values.
    """
    return dict(type='TruncNormal', layer=layer, std=std, a=-2 * std, b=2 * std)


class BasicConv2d(BaseModule):
    """Convolution, normalisation, ReLU; the convolution has a bias only without normalisation.

    The kernel is in channels_last format, so every feature map is too, whatever the format of the images. Results are
    the same up to rounding.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Height and width of the kernel.
        stride: Defaults to 1.
        padding: Zeros on each side. Defaults to 0.
        norm_cfg: mmcv's config of the normalisation; epsilon is 1e-3 unless it sets another. None: no normalisation.
            Defaults to batch norm.
        std: Standard deviation of the truncated normal that initialises the kernel. Defaults to 0.1, the value of all
            convolutions but one in the paper's code (TensorFlow ``research/inception/inception/inception_model.py``).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
        norm_cfg: dict[str, Any] | None = BATCH_NORM,
        std: float = 0.1,
    ) -> None:
        super().__init__(init_cfg=truncated_normal('Conv2d', std))
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=norm_cfg is None)
        # Here and not in a hook: DDP records the memory format of the parameters before any hook runs.
        self.conv.to(memory_format=torch.channels_last)
        self.bn = nn.Identity()
        if norm_cfg is not None:
            self.bn = build_norm_layer({'eps': _EPSILON, **norm_cfg}, out_channels)[1]
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H', W')."""
        return self.relu(self.bn(self.conv(x)))

    @torch.no_grad()
    def switch_to_deploy(self) -> None:
        """Fold the batch norm into the convolution, which then has a bias; a second call does nothing.

        Other normalisations, and batch norm without running statistics, depend on the images and are kept.
        """
        if not isinstance(self.bn, _BatchNorm) or self.bn.running_mean is None:
            return
        trainable = self.conv.weight.requires_grad
        self.conv = fuse_conv_bn_eval(self.conv.eval(), self.bn.eval()).train(self.training)
        self.conv.requires_grad_(trainable)
        self.bn = nn.Identity()


class PooledConv2d(BasicConv2d):
    """Pooling, then a 1x1 convolution with normalisation: the last branch of a block.

    Averaging over pixels and summing over channels can be done in either order. In training the average comes after the
    convolution, where there are a quarter to an eighth of the channels and no feature map has to be kept for the
    gradient. In evaluation it comes first, as in the publishers' code, so that outputs equal theirs to the last bit.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        pool: Pooling that keeps height and width.
        norm_cfg: As in :class:`BasicConv2d`.
    """

    def __init__(
        self, in_channels: int, out_channels: int, pool: nn.Module, norm_cfg: dict[str, Any] | None = BATCH_NORM
    ) -> None:
        super().__init__(in_channels, out_channels, 1, norm_cfg=norm_cfg)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H, W)."""
        # A bias would be averaged with the padded zeros.
        if self.training and isinstance(self.pool, nn.AvgPool2d) and self.conv.bias is None:
            return self.relu(self.bn(self.pool(self.conv(x))))
        return super().forward(self.pool(x))


def average_pool(count_include_pad: bool) -> nn.AvgPool2d:
    """Return 3x3 average pooling that keeps height and width.

    Args:
        count_include_pad: Whether padded zeros count.
    """
    return nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=count_include_pad)


class InceptionA(BaseModule):
    """Block of the 35x35 grid (figure 5): ``Mixed_5b``, ``Mixed_5c``, ``Mixed_5d``.

    Args:
        in_channels: Channels of the input.
        pool_features: Channels of the pooled branch; the output has 224 more.
        norm_cfg: mmcv's config of the normalisation. Defaults to batch norm.
        count_include_pad: Whether the average pool counts the padded zeros. Defaults to True.
    """

    def __init__(
        self,
        in_channels: int,
        pool_features: int,
        norm_cfg: dict[str, Any] = BATCH_NORM,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        conv = partial(BasicConv2d, norm_cfg=norm_cfg)
        self.branch1x1 = conv(in_channels, 64, 1)

        self.branch5x5_1 = conv(in_channels, 48, 1)
        self.branch5x5_2 = conv(48, 64, 5, padding=2)

        self.branch3x3dbl_1 = conv(in_channels, 64, 1)
        self.branch3x3dbl_2 = conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, 3, padding=1)

        self.branch_pool = PooledConv2d(in_channels, pool_features, average_pool(count_include_pad), norm_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 224 + pool_features, H, W)."""
        branch1x1 = self.branch1x1(x)
        branch5x5 = self.branch5x5_2(self.branch5x5_1(x))
        branch3x3dbl = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        branch_pool = self.branch_pool(x)
        return torch.cat([branch1x1, branch5x5, branch3x3dbl, branch_pool], dim=1)


class InceptionB(BaseModule):
    """Reduction from 35x35 to 17x17 (figure 10): ``Mixed_6a``.

    Args:
        in_channels: Channels of the input; the output has 480 more.
        norm_cfg: mmcv's config of the normalisation. Defaults to batch norm.
    """

    def __init__(self, in_channels: int, norm_cfg: dict[str, Any] = BATCH_NORM) -> None:
        super().__init__()
        conv = partial(BasicConv2d, norm_cfg=norm_cfg)
        self.branch3x3 = conv(in_channels, 384, 3, stride=2)

        self.branch3x3dbl_1 = conv(in_channels, 64, 1)
        self.branch3x3dbl_2 = conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = conv(96, 96, 3, stride=2)

        self.pool = nn.MaxPool2d(3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, in_channels + 480, (H - 1) // 2, (W - 1) // 2)."""
        branch3x3 = self.branch3x3(x)
        branch3x3dbl = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([branch3x3, branch3x3dbl, self.pool(x)], dim=1)


class InceptionC(BaseModule):
    """Block of the 17x17 grid with factorised 7x7 convolutions (figure 6): ``Mixed_6b`` to ``Mixed_6e``.

    Args:
        in_channels: Channels of the input.
        channels_7x7: Channels inside the factorised convolutions; the output always has 768.
        norm_cfg: mmcv's config of the normalisation. Defaults to batch norm.
        count_include_pad: Whether the average pool counts the padded zeros. Defaults to True.
    """

    def __init__(
        self,
        in_channels: int,
        channels_7x7: int,
        norm_cfg: dict[str, Any] = BATCH_NORM,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        conv = partial(BasicConv2d, norm_cfg=norm_cfg)
        row: dict[str, Any] = dict(kernel_size=(1, 7), padding=(0, 3))
        column: dict[str, Any] = dict(kernel_size=(7, 1), padding=(3, 0))
        self.branch1x1 = conv(in_channels, 192, 1)

        self.branch7x7_1 = conv(in_channels, channels_7x7, 1)
        self.branch7x7_2 = conv(channels_7x7, channels_7x7, **row)
        self.branch7x7_3 = conv(channels_7x7, 192, **column)

        self.branch7x7dbl_1 = conv(in_channels, channels_7x7, 1)
        self.branch7x7dbl_2 = conv(channels_7x7, channels_7x7, **column)
        self.branch7x7dbl_3 = conv(channels_7x7, channels_7x7, **row)
        self.branch7x7dbl_4 = conv(channels_7x7, channels_7x7, **column)
        self.branch7x7dbl_5 = conv(channels_7x7, 192, **row)

        self.branch_pool = PooledConv2d(in_channels, 192, average_pool(count_include_pad), norm_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 768, H, W)."""
        branch1x1 = self.branch1x1(x)
        branch7x7 = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        branch7x7dbl = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        branch7x7dbl = self.branch7x7dbl_5(self.branch7x7dbl_4(branch7x7dbl))
        branch_pool = self.branch_pool(x)
        return torch.cat([branch1x1, branch7x7, branch7x7dbl, branch_pool], dim=1)


class InceptionD(BaseModule):
    """Reduction from 17x17 to 8x8: ``Mixed_7a``.

    Args:
        in_channels: Channels of the input; the output has 512 more.
        norm_cfg: mmcv's config of the normalisation. Defaults to batch norm.
    """

    def __init__(self, in_channels: int, norm_cfg: dict[str, Any] = BATCH_NORM) -> None:
        super().__init__()
        conv = partial(BasicConv2d, norm_cfg=norm_cfg)
        self.branch3x3_1 = conv(in_channels, 192, 1)
        self.branch3x3_2 = conv(192, 320, 3, stride=2)

        self.branch7x7x3_1 = conv(in_channels, 192, 1)
        self.branch7x7x3_2 = conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = conv(192, 192, (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = conv(192, 192, 3, stride=2)

        self.pool = nn.MaxPool2d(3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, in_channels + 512, (H - 1) // 2, (W - 1) // 2)."""
        branch3x3 = self.branch3x3_2(self.branch3x3_1(x))
        branch7x7x3 = self.branch7x7x3_2(self.branch7x7x3_1(x))
        branch7x7x3 = self.branch7x7x3_4(self.branch7x7x3_3(branch7x7x3))
        return torch.cat([branch3x3, branch7x7x3, self.pool(x)], dim=1)


class InceptionE(BaseModule):
    """Block of the 8x8 grid with expanded filter banks (figure 7): ``Mixed_7b``, ``Mixed_7c``.

    Args:
        in_channels: Channels of the input; the output always has 2048.
        norm_cfg: mmcv's config of the normalisation. Defaults to batch norm.
        count_include_pad: Whether the average pool counts the padded zeros. Defaults to True.
        max_pool: Whether the pooled branch takes the maximum instead of the average. Defaults to False.
    """

    def __init__(
        self,
        in_channels: int,
        norm_cfg: dict[str, Any] = BATCH_NORM,
        count_include_pad: bool = True,
        max_pool: bool = False,
    ) -> None:
        super().__init__()
        conv = partial(BasicConv2d, norm_cfg=norm_cfg)
        row: dict[str, Any] = dict(kernel_size=(1, 3), padding=(0, 1))
        column: dict[str, Any] = dict(kernel_size=(3, 1), padding=(1, 0))
        self.branch1x1 = conv(in_channels, 320, 1)

        self.branch3x3_1 = conv(in_channels, 384, 1)
        self.branch3x3_2a = conv(384, 384, **row)
        self.branch3x3_2b = conv(384, 384, **column)

        self.branch3x3dbl_1 = conv(in_channels, 448, 1)
        self.branch3x3dbl_2 = conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = conv(384, 384, **row)
        self.branch3x3dbl_3b = conv(384, 384, **column)

        pool = nn.MaxPool2d(3, stride=1, padding=1) if max_pool else average_pool(count_include_pad)
        self.branch_pool = PooledConv2d(in_channels, 192, pool, norm_cfg)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 2048, H, W)."""
        branch1x1 = self.branch1x1(x)
        branch3x3 = self.branch3x3_1(x)
        branch3x3 = [self.branch3x3_2a(branch3x3), self.branch3x3_2b(branch3x3)]
        branch3x3dbl = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branch3x3dbl = [self.branch3x3dbl_3a(branch3x3dbl), self.branch3x3dbl_3b(branch3x3dbl)]
        branch_pool = self.branch_pool(x)
        return torch.cat([branch1x1, *branch3x3, *branch3x3dbl, branch_pool], dim=1)
