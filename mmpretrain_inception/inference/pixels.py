"""Images in memory as the pipeline expects them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from mmpretrain_inception.datasets.transforms.decode import pixels_of
from mmpretrain_inception.errors import BrokenImageError, InputError

# Channels of an array: what to take of them, in blue, green, red.
_CHANNELS = {1: (0, 0, 0), 2: (0, 0, 0), 3: (2, 1, 0), 4: (2, 1, 0)}
_ARRAYS = 'an array of height x width, or with 1 (grey), 2 (grey, alpha), 3 (RGB) or 4 (RGBA) channels last'
_TENSORS = 'a tensor of 1 to 4 channels x height x width, uint8 or float from 0 to 1'

InMemory = bytes | bytearray | Image.Image | np.ndarray | Tensor


def sample_of(image: InMemory, name: str, turn: bool = True) -> dict[str, Any]:
    """Return an image in memory as the pipeline's first transform gets it.

    Args:
        image: The content of a file; Pillow's image; an array in RGB, of shape (H, W) or (H, W, channels), uint8,
            uint16 or bool; or a tensor in RGB, of shape (channels, H, W), uint8 or float from 0 to 1. Alpha is left
            out, and of 16 bits the high byte is taken, as of files.
        name: What to call it in messages.
        turn: Whether to turn Pillow's image as its EXIF says. Defaults to True.

    Raises:
        InputError: If it is of another kind, shape or range.
    """
    if isinstance(image, (bytes, bytearray, memoryview)):
        return dict(img_path=name, img_bytes=bytes(image))
    if isinstance(image, Image.Image):
        content = _unread(image)
        if content is not None:
            return dict(img_path=name, img_bytes=content)
        try:
            return _loaded(pixels_of(image, turn))
        # As in decoding: Pillow raises anything.
        except Exception as error:
            raise BrokenImageError(name, str(error) or type(error).__name__) from error
    if isinstance(image, Tensor):
        return _loaded(_of_tensor(image, name))
    if isinstance(image, np.ndarray):
        return _loaded(_of_array(image, name))
    raise InputError(
        f'{name}: expected a path, bytes, an image of Pillow, an array or a tensor, got {type(image).__name__}'
    )


def _loaded(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    return dict(img=pixels, img_shape=pixels.shape[:2], ori_shape=pixels.shape[:2])


def _unread(image: Image.Image) -> bytes | None:
    """Return the content of the file of an image whose pixels nobody has asked for yet.

    It is then decoded like any file: large JPEG files are decoded at a fraction of their size where the pipeline says
    so.
    """
    file = getattr(image, 'fp', None)
    # Pillow empties `tile` when it decodes. Of an animation, this may be a later frame.
    if not getattr(image, 'tile', None) or file is None or not file.seekable() or image.tell() != 0:
        return None
    position = file.tell()
    file.seek(0)
    content = file.read()
    file.seek(position)
    return content


def _of_tensor(image: Tensor, name: str) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[0] not in _CHANNELS or image.numel() == 0:
        raise InputError(f'{name}: expected {_TENSORS}, got shape {tuple(image.shape)}')
    image = image.detach().cpu()
    if image.is_floating_point():
        low, high = float(image.min()), float(image.max())
        if not 0 <= low <= high <= 1:
            raise InputError(
                f'{name}: expected {_TENSORS}, got values from {low:.3g} to {high:.3g}; give it before it is normalised'
            )
        image = image.mul(255).round().to(torch.uint8)
    if image.dtype != torch.uint8:
        raise InputError(f'{name}: expected {_TENSORS}, got {image.dtype}')
    return _of_array(image.permute(1, 2, 0).numpy(), name)


def _of_array(image: np.ndarray, name: str) -> NDArray[np.uint8]:
    if image.ndim == 2:
        image = image[..., None]
    if image.ndim != 3 or image.shape[-1] not in _CHANNELS or image.size == 0:
        raise InputError(f'{name}: expected {_ARRAYS}, got shape {image.shape}')
    if image.dtype == np.bool_:
        image = image.astype(np.uint8) * np.uint8(255)
    elif image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise InputError(f'{name}: expected pixels of type uint8 (0 to 255) or uint16, got {image.dtype}')
    return np.ascontiguousarray(image[..., _CHANNELS[image.shape[-1]]])
