"""What counts as an image: the one table for training, testing, prediction and verification."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec

from PIL import Image, features

from mmpretrain_inception.utils.wording import printable

# Pillow's name of each format, with the endings of its files. Files are decoded by content, whatever their endings;
# the order is that in which formats are tried. TGA is last because its files begin with no mark of their own.
IMAGE_KINDS: dict[str, tuple[str, ...]] = {
    'JPEG': ('.jpg', '.jpeg', '.jpe', '.jfif', '.mpo'),
    'PNG': ('.png', '.apng'),
    'GIF': ('.gif',),
    'BMP': ('.bmp',),
    'DIB': ('.dib',),
    'PPM': ('.ppm', '.pgm', '.pbm', '.pnm'),
    'TIFF': ('.tif', '.tiff'),
    'WEBP': ('.webp',),
    'AVIF': ('.avif', '.avifs'),
    'JPEG2000': ('.jp2', '.j2k', '.jpc', '.jpf', '.jpx', '.j2c'),
    'HEIF': ('.heic', '.heif', '.hif'),
    'PSD': ('.psd',),
    'QOI': ('.qoi',),
    'SGI': ('.sgi', '.rgb', '.rgba', '.bw'),
    'PCX': ('.pcx',),
    'DDS': ('.dds',),
    'TGA': ('.tga', '.icb', '.vda', '.vst'),
}

# Pillow's other formats, with the reason why they are no images here. A test compares both tables with Pillow's own.
LEFT_OUT: dict[str, str] = {
    **dict.fromkeys(('EPS', 'WMF'), 'another program draws them'),
    **dict.fromkeys(('BUFR', 'GRIB', 'HDF5', 'MPEG'), 'Pillow recognises them and cannot decode them'),
    **dict.fromkeys(('CUR', 'ICNS', 'ICO', 'XBM', 'XPM', 'GBR', 'FTEX', 'BLP'), 'icons, brushes and textures'),
    **dict.fromkeys(('FITS', 'MCIDAS', 'SPIDER', 'PIXAR'), 'measurements, whose range is not that of a picture'),
    **dict.fromkeys(('DCX', 'FLI', 'IM', 'IMT', 'IPTC', 'MSP', 'PCD', 'SUN', 'XVTHUMB'), 'of no camera in use'),
}

# Formats that need more than Pillow itself: what has to be there, and how to get it.
_HEIF = 'pillow_heif'
_NEEDED: dict[str, tuple[Callable[[], bool], str]] = {
    'WEBP': (lambda: bool(features.check('webp')), 'a Pillow that is built with libwebp'),
    # Not by get_supported(), which warns of a missing Tk on servers without a display.
    'AVIF': (lambda: 'avif' in features.modules and bool(features.check('avif')), 'Pillow 11.3 or newer'),
    'JPEG2000': (lambda: bool(features.check('jpg_2000')), 'a Pillow that is built with OpenJPEG'),
    'HEIF': (lambda: find_spec(_HEIF) is not None, 'pip install pillow-heif'),
}

# Of backup programs, file servers and archives. Folders whose names begin with a dot are left out as well.
_SYSTEM_FOLDERS = frozenset({'__macosx', '@eadir', 'lost+found', '$recycle.bin', 'system volume information'})
# So many kinds are named in a line.
_MOST_KINDS = 10


def _readable() -> dict[str, tuple[str, ...]]:
    """Return the part of the table that can be decoded here, with all decoders ready before workers are forked."""
    if find_spec(_HEIF) is not None:
        import_module(_HEIF).register_heif_opener()
    Image.init()
    return {
        name: endings
        for name, endings in IMAGE_KINDS.items()
        if name in Image.OPEN and (name not in _NEEDED or _NEEDED[name][0]())
    }


_READABLE = _readable()
FORMATS = tuple(_READABLE)
IMAGE_EXTENSIONS = tuple(ending for endings in _READABLE.values() for ending in endings)


def is_image(name: str) -> bool:
    """Return whether a file counts as an image, by its ending in upper or lower case.

    Hidden files do not: macOS writes ``._photo.jpg`` beside ``photo.jpg``.

    Args:
        name: Name or path of the file. It is not opened.
    """
    return not is_hidden(name) and name.lower().endswith(IMAGE_EXTENSIONS)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden: its name begins with a dot.

    Args:
        name: Name or path.
    """
    return os.path.basename(name).startswith('.')


def is_ignored_folder(name: str) -> bool:
    """Return whether a folder is hidden or the system's, and so neither a class nor searched for images.

    Args:
        name: Name or path, for example ``__MACOSX``, ``@eaDir`` or ``.ipynb_checkpoints``.
    """
    return is_hidden(name) or os.path.basename(name).lower() in _SYSTEM_FOLDERS


def kind_of(name: str) -> str:
    """Return what to call a file that is not used, for counting: its ending in lower case, or what it is.

    Args:
        name: Name or path.
    """
    if is_hidden(name):
        return 'hidden'
    return os.path.splitext(name)[1].lower() or 'without an ending'


def what_it_needs(kind: str) -> str:
    """Return what has to be installed to read files of an ending, or '' if nothing would help.

    Args:
        kind: The ending in lower case, as :func:`kind_of` gives it.
    """
    names = [name for name, endings in IMAGE_KINDS.items() if kind in endings and name not in FORMATS]
    return _NEEDED[names[0]][1] if names and names[0] in _NEEDED else ''


def count_kinds(unused: Mapping[str, int]) -> str:
    """Return counted kinds as text: ``12 .txt, 3 .heic (to read them: pip install pillow-heif)``.

    Args:
        unused: Numbers of files by :func:`kind_of`. The largest comes first; after ten kinds the others are summed up.
    """
    ordered = sorted(unused.items(), key=lambda item: (-item[1], item[0]))
    texts = [f'{count:,} {printable(kind)}{_advice(kind)}' for kind, count in ordered[:_MOST_KINDS]]
    others = sum(count for _, count in ordered[_MOST_KINDS:])
    return ', '.join([*texts, *([f'{others:,} of other kinds'] if others else [])])


def _advice(kind: str) -> str:
    needed = what_it_needs(kind)
    return f' (to read them: {needed})' if needed else ''


def name_endings(endings: Sequence[str]) -> str:
    """Return endings for a message: those of a user's choice, or the first few of the whole table."""
    whole = set(endings) == set(IMAGE_EXTENSIONS)
    return '.jpg .png .gif .webp .tif and so on' if whole else ' '.join(sorted(endings))
