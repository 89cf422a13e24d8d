"""The crops of GoogLeNet's multi-crop evaluation (section 7 of arXiv:1409.4842), one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import mmcv
import numpy as np
from mmpretrain.datasets import ResizeEdge
from numpy.typing import NDArray

from mmpretrain_inception.errors import InputError

# The paper's short sides, for crops of this many pixels.
SCALES = (256, 288, 320, 352)
_CROP_OF_SCALES = 224
# Where a square starts, in halves of the space that it leaves along the long side.
SQUARES = dict(start=0, centre=1, end=2)


class Crop(NamedTuple):
    """A square of a resized image.

    Attributes:
        short_side: Short side of the resized image, in pixels.
        left: Left edge of the square in the resized image, in pixels.
        top: Top edge of the square in the resized image, in pixels.
        side: Side of the square, in pixels. If it is not the crop size, the square is resized.
        mirrored: Whether the crop is flipped horizontally.
    """

    short_side: int
    left: int
    top: int
    side: int
    mirrored: bool


class MultiCrop:
    """Cuts an image into the crops of GoogLeNet's evaluation, at any crop size.

    At each scale, the short side of the image is resized to that length, and squares of the short side are taken along
    the long side. The crops of a square are its four corners, its centre and the whole square resized to the crop size,
    each followed by its mirror image. With the defaults there are 4 x 3 x 6 x 2 = 144. Halves of a pixel are rounded
    down. An image that is nearly square gives some crops twice, and they count twice.

    Args:
        crop_size: Height and width of the crops, in pixels. Defaults to 299.
        scales: Short sides of the resized image for crops of 224 pixels, as in GoogLeNet's paper. They are multiplied
            by ``crop_size / 224`` and rounded: 342, 384, 427 and 470 for 299. Defaults to (256, 288, 320, 352).
        squares: Which squares: 'start' (left or top), 'centre', 'end' (right or bottom). Defaults to all three.
        backend: 'cv2' or 'pillow', as in mmpretrain's ``ResizeEdge``. Defaults to 'cv2'.
        interpolation: For both resizes, as in mmpretrain's ``ResizeEdge``. Defaults to 'bilinear', which does not
            antialias in OpenCV.

    Raises:
        ValueError: If a scale is smaller than a crop, or a square is unknown.
    """

    def __init__(
        self,
        crop_size: int = 299,
        scales: Sequence[int] = SCALES,
        squares: Sequence[str] = tuple(SQUARES),
        backend: str = 'cv2',
        interpolation: str = 'bilinear',
    ) -> None:
        if not scales or min(scales) < _CROP_OF_SCALES:
            raise InputError(f'scales: expected short sides of at least {_CROP_OF_SCALES} pixels, got {list(scales)}')
        if not squares or not set(squares) <= SQUARES.keys():
            raise InputError(f'squares: expected some of {", ".join(SQUARES)}, got {list(squares)}')
        self.crop_size = crop_size
        self.short_sides = [round(scale * crop_size / _CROP_OF_SCALES) for scale in scales]
        self.halves = [SQUARES[name] for name in squares]
        self.resize = dict(backend=backend, interpolation=interpolation)

    def __len__(self) -> int:
        return len(self.short_sides) * len(self.halves) * 12

    def crops(self, height: int, width: int) -> list[Crop]:
        """Return the crops of an image of ``height`` x ``width`` pixels, scale by scale."""
        return [
            Crop(short, left + x, top + y, side, mirrored)
            for short in self.short_sides
            for left, top in self._squares(height, width, short)
            for x, y, side in self._of_square(short)
            for mirrored in (False, True)
        ]

    def cut(self, image: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Yield the crops of an image of shape (H, W, channels), in the order of :meth:`crops`.

        Only one resized image and one crop exist at a time.
        """
        for short, crops in groupby(self.crops(*image.shape[:2]), key=lambda crop: crop.short_side):
            resized = ResizeEdge(short, **self.resize)({'img': image})['img']
            for _, left, top, side, mirrored in crops:
                part = resized[top : top + side, left : left + side]
                if side != self.crop_size:
                    part = mmcv.imresize(part, (self.crop_size, self.crop_size), **self.resize)
                yield np.flip(part, axis=1) if mirrored else part

    def _squares(self, height: int, width: int, short: int) -> list[tuple[int, int]]:
        # ResizeEdge rounds the long side down.
        room = max(height, width) * short // min(height, width) - short
        offsets = [room * halves // 2 for halves in self.halves]
        return [(0, offset) if width < height else (offset, 0) for offset in offsets]

    def _of_square(self, short: int) -> list[tuple[int, int, int]]:
        room = short - self.crop_size
        corners = [(0, 0), (room, 0), (0, room), (room, room), (room // 2, room // 2)]
        return [*((x, y, self.crop_size) for x, y in corners), (0, 0, short)]
