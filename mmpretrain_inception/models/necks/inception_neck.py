"""The neck between the Inception V3 backbone and a classification head."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmpretrain_inception.registry import MODELS


@MODELS.register_module()
class InceptionNeck(BaseModule):
    """Global average pooling of the last feature map; the others are returned unchanged.

    mmpretrain's ``GlobalAveragePooling`` would also pool the 17x17 map, which the auxiliary classifier needs as it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, feats: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Pool ``feats[-1]`` from (N, C, H, W) to (N, C).

        Args:
            feats: The feature maps of the backbone.

        Returns:
            The same feature maps, the last one pooled.
        """
        *maps, last = feats
        return *maps, self.pool(last).flatten(1)
