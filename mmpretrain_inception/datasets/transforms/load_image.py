"""Loading images, the same way in training, testing and inference."""

from __future__ import annotations

from typing import Any

from mmcv.transforms import LoadImageFromFile
from PIL import UnidentifiedImageError

from mmpretrain_inception.datasets.transforms.decode import MAX_PIXELS, Pixels, decode_image
from mmpretrain_inception.datasets.transforms.read_file import read_file
from mmpretrain_inception.errors import BrokenImageError, InputError
from mmpretrain_inception.registry import TRANSFORMS
from mmpretrain_inception.utils.wording import printable

_BACKENDS = ('cv2', 'pillow')
# Whether to turn images as their EXIF says.
_COLOR_TYPES = {'color': True, 'color_ignore_orientation': False}


def load_image(
    path: str, backend_args: dict[str, Any] | None = None, max_pixels: int = MAX_PIXELS, **settings: Any
) -> Pixels:
    """Read and decode an image file.

    Args:
        path: The file, or an address that a file backend of mmengine reads.
        backend_args: Settings of that file backend. Defaults to None: chosen by the path.
        max_pixels: Larger images are refused. Defaults to 89,478,485.
        **settings: Passed on to :func:`~mmpretrain_inception.datasets.transforms.decode.decode_image`.

    Returns:
        The image, BGR of shape (H, W, 3).

    Raises:
        BrokenImageError: If the file cannot be read or decoded, or is too large.
    """
    try:
        content = read_file(path, backend_args, max_pixels)
    except (OSError, ValueError) as error:
        raise BrokenImageError(printable(path), _reason(error)) from error
    return decode_content(content, path, max_pixels=max_pixels, **settings)


def decode_content(content: bytes, name: str, **settings: Any) -> Pixels:
    """Decode the content of an image file.

    Args:
        content: The bytes of the file.
        name: What to call it in messages.
        **settings: Passed on to :func:`~mmpretrain_inception.datasets.transforms.decode.decode_image`.

    Returns:
        The image, BGR of shape (H, W, 3).

    Raises:
        BrokenImageError: If it cannot be decoded, or is too large.
    """
    try:
        return decode_image(content, **settings)
    # Decoders raise anything for broken content: SyntaxError, struct.error, KeyError, their own.
    except Exception as error:
        raise BrokenImageError(printable(name), _reason(error)) from error


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        # Its own message names the buffer instead of the file.
        return 'it is not an image of a known format'
    reason = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return printable(' '.join(reason.split()))


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Load an image, and name the file if it cannot be loaded.

    It replaces mmpretrain's ``LoadImageFromFile``, with the same pixels for ordinary files. ``docs/data.md`` lists the
    kinds of files that come out wrong there, or differently by back-end, and what they become here.

    Detected: files that are missing, empty, truncated or no image; content that the decoder gives up on; too many
    pixels, bytes or scans; pipes and devices. Not detected: changed bytes within the compressed pixels of a JPEG file,
    and an end marker that comes too early. Both decode to something, and JPEG has no checksum. Of an animation only the
    first frame is read.

    Required key: ``img_path``. Added keys: ``img``, BGR uint8 of shape (H, W, 3); ``img_shape`` and ``ori_shape``, its
    (H, W). With ``img`` instead of ``img_path`` it does nothing: mmpretrain's inferencers take arrays as well. With
    ``img_bytes``, the content of a file, it does not read ``img_path``, which is then only a name.

    Args:
        color_type: 'color' turns images as their EXIF says, 'color_ignore_orientation' does not. Defaults to 'color'.
        imdecode_backend: The decoder for JPEG files, 'cv2' or 'pillow'. Defaults to 'cv2'.
        min_size: Shorter side that the pipeline needs, in pixels. JPEG files of at least twice that are decoded at a
            half, a quarter or an eighth of their size, which is faster; ``docs/data.md`` says how the result differs.
            Defaults to None: every file is decoded at its full size.
        max_pixels: Larger images are refused, and so are files larger than any such image, before they are read. Pillow
            also refuses more than twice its own ``PIL.Image.MAX_IMAGE_PIXELS``. Defaults to 89,478,485, which is that.
        backend_args: Settings of mmengine's file backend. Defaults to None: chosen by the path.

    Raises:
        InputError: If a setting is unknown.
        BrokenImageError: If a file cannot be loaded; by the transform.
    """

    def __init__(
        self,
        color_type: str = 'color',
        imdecode_backend: str = 'cv2',
        min_size: int | None = None,
        max_pixels: int = MAX_PIXELS,
        backend_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(color_type=color_type, imdecode_backend=imdecode_backend, backend_args=backend_args)
        for name, value, known in (
            ('color_type', color_type, _COLOR_TYPES),
            ('imdecode_backend', imdecode_backend, _BACKENDS),
        ):
            if value not in known:
                raise InputError(f'{name}: expected {" or ".join(known)}, got {value}')
        self.min_size = min_size
        self.max_pixels = max_pixels

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Load ``img``."""
        if 'img_path' not in results and 'img' in results:
            return results
        settings: dict[str, Any] = dict(
            backend=self.imdecode_backend,
            turn=_COLOR_TYPES[self.color_type],
            min_size=self.min_size,
            max_pixels=self.max_pixels,
        )
        content = results.pop('img_bytes', None)
        if content is None:
            image = load_image(results['img_path'], self.backend_args, **settings)
        else:
            image = decode_content(content, results['img_path'], **settings)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        names = ('color_type', 'imdecode_backend', 'min_size', 'max_pixels')
        return f'{type(self).__name__}({", ".join(f"{name}={getattr(self, name)!r}" for name in names)})'
