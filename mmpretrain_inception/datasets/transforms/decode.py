"""Decoding image files: every kind of file becomes one documented thing, or is refused."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mmpretrain_inception.datasets.image_kinds import FORMATS
from mmpretrain_inception.datasets.transforms.decoding_cost import refuse_costly_header, refuse_many_scans

Pixels = NDArray[np.uint8]

# Pillow's own limit: a quarter of a GiB of 24-bit pixels. Pillow itself warns above it and refuses twice as many.
MAX_PIXELS = 89_478_485
# JPEG's own limit. Pillow keeps a pointer for each row, which for columns of pixels is most of the memory.
MAX_SIDE = 65_535

# Pillow's modes of 16 bits a pixel. Netpbm files of 16 bits come in a mode of 32.
_SIXTEEN_BITS = frozenset({'I;16', 'I;16L', 'I;16B', 'I;16N'})

_END_OF_IMAGE = b'\xff\xd9'
_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decode_image(
    content: bytes,
    backend: str = 'cv2',
    turn: bool = True,
    min_size: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Pixels:
    """Decode the content of an image file.

    OpenCV decodes JPEG files if asked to. Everything else is Pillow's ``convert('RGB')``, as in torchvision and timm,
    except for 16-bit pixels, which Pillow would clip except for the darkest.

    Args:
        content: The bytes of the file.
        backend: 'cv2' or 'pillow', for JPEG files. Both give the same pixels, except that CMYK comes out one level
            brighter by OpenCV. Defaults to 'cv2'.
        turn: Whether to turn the image as its EXIF says. Defaults to True.
        min_size: Decode a JPEG file at a half, a quarter or an eighth of its size, as long as its shorter side keeps
            this many pixels. Defaults to None: at its full size.
        max_pixels: Largest number of pixels, checked in the header before anything is decoded. Defaults to 89,478,485.

    Returns:
        The image, BGR of shape (H, W, 3).

    Raises:
        ValueError: If the image has more than ``max_pixels`` or a side of more than 65,535, its pixels have no agreed
            range, the file ends before its data does, or it would take far longer to decode than its size suggests.
        Exception: Whatever Pillow raises for a file that it cannot read, which may be of many types.
    """
    if not content:
        raise ValueError('the file is empty')
    refuse_costly_header(content)
    buffer = BytesIO(content)
    image = Image.open(buffer, formats=FORMATS)
    if image.width * image.height > max_pixels:
        raise ValueError(f'expected at most {max_pixels:,} pixels, got {image.width} x {image.height}')
    if max(image.size) > MAX_SIDE:
        raise ValueError(f'expected sides of at most {MAX_SIDE:,} pixels, got {image.width} x {image.height}')
    # Pillow calls several pictures in one file MPO; the first one is used.
    if image.format in ('JPEG', 'MPO'):
        refuse_many_scans(content)
    factor = _reduction(min(image.size), min_size) if image.format == 'JPEG' else 1
    if image.format == 'JPEG':
        # Pillow has stopped where the pixels begin; a thumbnail with an end marker of its own lies before.
        if content.rfind(_END_OF_IMAGE, buffer.tell()) < 0:
            raise ValueError('the file is truncated: its end marker is missing')
        if backend == 'cv2':
            return _decode_with_opencv(content, turn, factor)
    if factor > 1:
        image.draft(None, (image.width // factor, image.height // factor))
    return _decode_with_pillow(image, turn)


def _reduction(shorter: int, min_size: int | None) -> int:
    """Return the largest divisor of libjpeg that leaves the shorter side ``min_size`` pixels."""
    if min_size is None:
        return 1
    return next((factor for factor in (8, 4, 2) if shorter >= min_size * factor), 1)


def _decode_with_opencv(content: bytes, turn: bool, factor: int) -> Pixels:
    flags = _REDUCED[factor] | (0 if turn else cv2.IMREAD_IGNORE_ORIENTATION)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags)
    if image is None:
        raise ValueError('OpenCV cannot decode it')
    return image.astype(np.uint8, copy=False)


def pixels_of(image: Image.Image, turn: bool = True) -> Pixels:
    """Return the pixels of Pillow's image as :func:`decode_image` returns those of a file. It is not changed.

    Args:
        image: The image, of any mode but those of 32 bits.
        turn: Whether to turn it as its EXIF says. Defaults to True.

    Returns:
        The image, BGR of shape (H, W, 3).

    Raises:
        ValueError: If its pixels have no agreed range.
    """
    return _decode_with_pillow(image.copy(), turn)


def _decode_with_pillow(image: Image.Image, turn: bool) -> Pixels:
    image.load()
    if turn:
        _turn(image)
    return cv2.cvtColor(np.asarray(_to_rgb(image)), cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def _turn(image: Image.Image) -> None:
    """Turn an image in place as its EXIF says; EXIF that cannot be read is ignored, as in OpenCV."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:
        return


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS or (image.mode == 'I' and image.format == 'PPM'):
        # The high byte, which is what libpng and Pillow take of colours of 16 bits.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert('RGB')
    if image.mode in ('I', 'F'):
        raise ValueError('expected pixels of 8 or 16 bits, got 32 bits, which have no agreed range')
    # Images are opaque here as everywhere else; Pillow would warn of it.
    image.info.pop('transparency', None)
    return image.convert('RGB')
