"""The colour distortion of Inception's TensorFlow code.

mmpretrain's and torchvision's ``ColorJitter`` compute something else: TensorFlow adds to the brightness where they
multiply it, changes the contrast around each channel's own mean and the saturation in HSV, and does not round in
between.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from numpy.typing import NDArray

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import TRANSFORMS

Floats = NDArray[np.float32]

# The four orders of slim's `distort_color`; each image gets one of them.
_ORDERS = (
    ('brightness', 'saturation', 'hue', 'contrast'),
    ('saturation', 'brightness', 'contrast', 'hue'),
    ('contrast', 'hue', 'brightness', 'saturation'),
    ('hue', 'saturation', 'contrast', 'brightness'),
)


def adjust_brightness(image: Floats, delta: float) -> Floats:
    """Add ``delta`` to every value, like ``tf.image.adjust_brightness``; images range from 0 to 1 in all functions."""
    return image + np.float32(delta)


def adjust_contrast(image: Floats, factor: float) -> Floats:
    """Scale the distance from each channel's mean, like ``tf.image.adjust_contrast``."""
    mean = np.array(cv2.mean(image)[:3], np.float32)
    changed = image - mean
    changed *= np.float32(factor)
    changed += mean
    return changed


def adjust_saturation(image: Floats, factor: float) -> Floats:
    """Multiply the HSV saturation and clip it at 1, like ``tf.image.adjust_saturation``.

    Hue and value do not change, so every channel moves on a line towards the value, the largest of the three.
    """
    channels = cv2.split(image)
    value = cv2.max(cv2.max(channels[0], channels[1]), channels[2])
    chroma = value - _lowest(channels)
    with np.errstate(divide='ignore', invalid='ignore'):
        ratio = np.minimum(np.float32(factor), value / chroma)
    # Grey has no saturation; in TensorFlow, neither has anything at or below black.
    ratio[(chroma <= 0) | (value <= 0)] = 0
    return cv2.merge([value + (channel - value) * ratio for channel in channels])


def adjust_hue(image: Floats, delta: float) -> Floats:
    """Rotate the HSV hue by ``delta`` of a full turn, like ``tf.image.adjust_hue``; ``image`` is BGR."""
    # The hue depends only on differences, and OpenCV does not support negative values.
    channels = cv2.split(image)
    lowest = _lowest(channels)
    hue, saturation, value = cv2.split(
        cv2.cvtColor(cv2.merge([channel - lowest for channel in channels]), cv2.COLOR_BGR2HSV)
    )
    hue += np.float32(360 * delta % 360)
    # Takes a quarter of the time of a modulus.
    np.subtract(hue, np.float32(360), out=hue, where=hue >= 360)
    turned = cv2.split(cv2.cvtColor(cv2.merge([hue, saturation, value]), cv2.COLOR_HSV2BGR))
    return cv2.merge([channel + lowest for channel in turned])


def _lowest(channels: Sequence[Any]) -> Any:
    return cv2.min(cv2.min(channels[0], channels[1]), channels[2])


_FUNCTIONS = dict(brightness=adjust_brightness, contrast=adjust_contrast, saturation=adjust_saturation, hue=adjust_hue)


@TRANSFORMS.register_module()
class TensorFlowColorDistortion(BaseTransform):
    """Change brightness, saturation, hue and contrast by random amounts, in one of four orders, and clip.

    The defaults are those of TensorFlow's ``research/slim/preprocessing/inception_preprocessing.py`` (``distort_color``
    with ``fast_mode=False``).

    Required and modified key: ``img``, BGR of shape (H, W, 3) from 0 to 255. It becomes float32 in the same range and
    is not rounded.

    Args:
        brightness: Largest amount to add or subtract, for a range of 1. Defaults to 32 / 255.
        saturation: Lowest and highest factor. Defaults to (0.5, 1.5).
        hue: Largest rotation in either direction, as a fraction of a full turn. Defaults to 0.2.
        contrast: Lowest and highest factor. Defaults to (0.5, 1.5).

    Raises:
        ValueError: If an amount or a factor is negative, or a lowest factor is above the highest.
    """

    def __init__(
        self,
        brightness: float = 32 / 255,
        saturation: tuple[float, float] = (0.5, 1.5),
        hue: float = 0.2,
        contrast: tuple[float, float] = (0.5, 1.5),
    ) -> None:
        self.ranges: dict[str, tuple[float, float]] = dict(
            brightness=(-brightness, brightness),
            saturation=(saturation[0], saturation[1]),
            hue=(-hue, hue),
            contrast=(contrast[0], contrast[1]),
        )
        if min(brightness, hue, saturation[0], contrast[0]) < 0 or any(
            low > high for low, high in self.ranges.values()
        ):
            raise InputError(
                'expected brightness and hue of at least 0, saturation and contrast as lowest and highest factor, '
                f'got brightness {brightness}, hue {hue}, saturation {saturation}, contrast {contrast}'
            )

    @cache_randomness
    def _draw(self) -> list[tuple[str, float]]:
        order = _ORDERS[np.random.randint(len(_ORDERS))]
        return [(name, np.random.uniform(*self.ranges[name])) for name in order]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Distort ``img``."""
        image = results['img'].astype(np.float32)
        image /= np.float32(255)
        for name, amount in self._draw():
            image = _FUNCTIONS[name](image, amount)
        image = image.clip(0, 1)
        image *= np.float32(255)
        results['img'] = image
        return results

    def __repr__(self) -> str:
        settings = ', '.join(f'{name}={low:.4g} to {high:.4g}' for name, (low, high) in self.ranges.items())
        return f'{type(self).__name__}({settings})'
