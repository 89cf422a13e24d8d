"""Decoding image files so that every kind of file becomes one documented thing, or is refused."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Pixels = NDArray[np.uint8]

# Here once instead of in every worker.
Image.preinit()

# Pillow's own, a quarter of a GiB of 24-bit pixels; at twice as many Pillow refuses by itself.
MAX_PIXELS = 89_478_485

# Without those of which Pillow hands the file to another program (EPS) or that are no pictures of a camera or the web.
FORMATS = ('JPEG', 'PNG', 'GIF', 'BMP', 'PPM', 'TIFF', 'WEBP')

# Pillow's modes of 16 bits a pixel, and of 32 that hold 16 in files of Netpbm.
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

    OpenCV decodes JPEG files where it is asked for; everything else is Pillow's ``convert('RGB')``, as in torchvision
    and timm, but for pixels of 16 bits, of which Pillow would clip all but the darkest.

    Args:
        content: The bytes of the file.
        backend: 'cv2' or 'pillow', for JPEG files. Both give the same pixels, except that CMYK comes out one level
            brighter by OpenCV. Defaults to 'cv2'.
        turn: Whether to turn the image as EXIF says. Defaults to True.
        min_size: Decode a JPEG file at a half, a quarter or an eighth of its size, as long as its shorter side keeps
            this many pixels. Defaults to None: at its full size.
        max_pixels: Largest number of pixels; found in the header, before anything is decoded. Defaults to 89,478,485.

    Returns:
        The image, BGR of shape (H, W, 3).

    Raises:
        ValueError: If the image has more than ``max_pixels``, pixels without a range of their own, or an end before
            its data does.
        Exception: Whatever Pillow raises on a file that it cannot read; its kinds are many.
    """
    if not content:
        raise ValueError('the file is empty')
    buffer = BytesIO(content)
    image = Image.open(buffer, formats=FORMATS)
    if image.width * image.height > max_pixels:
        raise ValueError(f'at most {max_pixels:,} pixels were expected, but it has {image.width} x {image.height}')
    factor = _reduction(min(image.size), min_size) if image.format == 'JPEG' else 1
    if image.format == 'JPEG':
        # Where Pillow has stopped to read the pixels begin; a thumbnail with an end of its own lies before.
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


def _decode_with_pillow(image: Image.Image, turn: bool) -> Pixels:
    image.load()
    if turn:
        _turn(image)
    return cv2.cvtColor(np.asarray(_to_rgb(image)), cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)


def _turn(image: Image.Image) -> None:
    """Turn an image in place as EXIF says; EXIF that cannot be read says nothing, as in OpenCV."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except Exception:
        return


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BITS or (image.mode == 'I' and image.format == 'PPM'):
        # The high byte, as libpng and Pillow take of colours of 16 bits.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert('RGB')
    if image.mode in ('I', 'F'):
        raise ValueError('pixels of 8 or 16 bits were expected, but it has 32 bits, which have no agreed range')
    # Opaque, as everywhere else; Pillow would warn of it.
    image.info.pop('transparency', None)
    return image.convert('RGB')
