"""How TensorFlow crops and resizes images for Inception V3; OpenCV, Pillow and PyTorch cannot do the same.

The weights of TensorFlow's slim are evaluated with both transforms (``research/slim/preprocessing/
inception_preprocessing.py``, ``preprocess_for_eval``), FID with the second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from numpy.typing import NDArray

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import TRANSFORMS

Floats = NDArray[np.float32]


@TRANSFORMS.register_module()
class TensorFlowCentralCrop(BaseTransform):
    """Crop the centre of an image to a fraction of each side, like ``tf.image.central_crop``.

    Both margins have the same whole number of pixels, rounded down, so the crop may be one or two pixels larger than
    the fraction says.

    Required and modified keys: ``img``, of shape (H, W, channels) or (H, W); ``img_shape``.

    Args:
        fraction: Fraction of each side, above 0 and at most 1. Defaults to 0.875, as in slim.

    Raises:
        ValueError: If the fraction is out of range.
    """

    def __init__(self, fraction: float = 0.875) -> None:
        if not 0 < fraction <= 1:
            raise InputError(f'fraction: expected a number above 0 and at most 1, got {fraction}')
        self.fraction = fraction

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop ``img``."""
        image = results['img']
        height, width = image.shape[:2]
        top, left = (int((side - side * self.fraction) / 2) for side in (height, width))
        results['img'] = image[top : height - top, left : width - left]
        results['img_shape'] = results['img'].shape[:2]
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(fraction={self.fraction})'


@TRANSFORMS.register_module()
class TensorFlowResize(BaseTransform):
    """Resize with TensorFlow's bilinear interpolation, bit for bit: without antialiasing or keeping the aspect ratio.

    TensorFlow 1 maps pixel i of the output to i * input / output of the input. It aligns corners instead of pixel
    centres, which shifts the image by up to half an output pixel (``tf.compat.v1.image.resize_bilinear`` with its
    defaults). TensorFlow 2 aligns pixel centres (``tf.image.resize``), like PyTorch.

    Required and modified keys: ``img``, of shape (H, W, channels) or (H, W), becomes float32 in the same range and is
    not rounded; ``img_shape``. Added keys: ``scale``, ``scale_factor``.

    Args:
        scale: Width and height of the output in pixels, or one number for both.
        half_pixel_centers: Whether to align pixel centres, as TensorFlow 2 does. Defaults to False, TensorFlow 1.

    Raises:
        ValueError: If a side of the output is below 1.
    """

    def __init__(self, scale: int | tuple[int, int], half_pixel_centers: bool = False) -> None:
        self.scale = (scale, scale) if isinstance(scale, int) else tuple(scale)
        if min(self.scale) < 1:
            raise InputError(f'scale: expected a width and height of at least 1 pixel, got {scale}')
        self.half_pixel_centers = half_pixel_centers

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize ``img``."""
        image = results['img'].astype(np.float32)
        height, width = image.shape[:2]
        # In TensorFlow's order; in the other one, float32 would round differently.
        image = self._resize_axis(image, 1, self.scale[0])
        image = self._resize_axis(image, 0, self.scale[1])
        results.update(
            img=image,
            img_shape=image.shape[:2],
            scale=self.scale,
            scale_factor=(self.scale[0] / width, self.scale[1] / height),
        )
        return results

    def _resize_axis(self, image: Floats, axis: int, size: int) -> Floats:
        length = image.shape[axis]
        offset = np.float32(0.5 if self.half_pixel_centers else 0)
        position = (np.arange(size, dtype=np.float32) + offset) * (np.float32(length) / np.float32(size)) - offset
        floor = np.floor(position)
        lower = np.maximum(floor, 0).astype(int)
        upper = np.minimum(np.ceil(position), length - 1).astype(int)
        fraction = np.expand_dims(position - floor, tuple(range(1, image.ndim - axis)))
        start = image.take(lower, axis)
        return start + (image.take(upper, axis) - start) * fraction

    def __repr__(self) -> str:
        return f'{type(self).__name__}(scale={self.scale}, half_pixel_centers={self.half_pixel_centers})'
