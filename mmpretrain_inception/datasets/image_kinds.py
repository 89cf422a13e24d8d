"""The kinds of image files that training, testing and verification read."""

from __future__ import annotations

# Pillow's name of each format, with the file extensions it is listed by. Files are decoded by content, whatever their
# extension. Left out: formats for which Pillow starts another program (EPS) and those of neither cameras nor the web.
IMAGE_KINDS: dict[str, tuple[str, ...]] = {
    'JPEG': ('.jpg', '.jpeg', '.jpe', '.jfif'),
    'PNG': ('.png', '.apng'),
    'GIF': ('.gif',),
    'BMP': ('.bmp',),
    'PPM': ('.ppm', '.pgm', '.pbm', '.pnm'),
    'TIFF': ('.tif', '.tiff'),
    'WEBP': ('.webp',),
}
FORMATS = tuple(IMAGE_KINDS)
IMAGE_EXTENSIONS = tuple(extension for extensions in IMAGE_KINDS.values() for extension in extensions)
