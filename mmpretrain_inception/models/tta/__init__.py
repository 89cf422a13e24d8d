"""Test-time augmentation."""

from mmpretrain_inception.models.tta.multi_crop import Crop, MultiCrop
from mmpretrain_inception.models.tta.multi_crop_tta import MultiCropTTA

__all__ = [
    'Crop',
    'MultiCrop',
    'MultiCropTTA',
]
