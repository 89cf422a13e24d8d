"""Image files of many kinds, and what may happen to them on the way."""

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIZE = (56, 44)
HUGE = 60000


def picture(channels=3, levels=256):
    """A gradient with a little noise, so that files compress as photographs do."""
    width, height = SIZE
    rng = np.random.default_rng(channels)
    y, x = np.mgrid[:height, :width]
    waves = np.stack([(x * (2 + c) + y * (5 - c)) / (4 * width + 4 * height) for c in range(channels)], axis=-1)
    pixels = (waves * 0.8 + rng.uniform(0, 0.2, waves.shape)) * (levels - 1)
    return pixels.squeeze().astype(np.uint8 if levels == 256 else np.uint16)


def encode(image, file_format, **settings):
    content = io.BytesIO()
    image.save(content, file_format, **settings)
    return content.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def chunk(name, content):
    return struct.pack('>I', len(content)) + name + content + struct.pack('>I', zlib.crc32(name + content))


def interlaced_png(grey):
    """A PNG file in Adam7's seven passes, which Pillow and OpenCV read but do not write."""
    height, width = grey.shape
    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    rows = [
        b'\0' + row.tobytes() for top, left, down, right in passes for row in grey[top::down, left::right] if row.size
    ]
    header = struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 1)
    body = chunk(b'IHDR', header) + chunk(b'IDAT', zlib.compress(b''.join(rows))) + chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + body


def base_files():
    """Return the ending and the content of a file of each kind."""
    rgb, grey = Image.fromarray(picture()), Image.fromarray(picture(1))
    rgba = Image.fromarray(picture(4), 'RGBA')
    frames = dict(save_all=True, append_images=[rgb.rotate(90 * turn) for turn in (1, 2)])
    deep = Image.fromarray(picture(1, 65536))
    return dict(
        jpeg=('jpg', encode(rgb, 'JPEG', quality=90)),
        progressive=('jpg', encode(rgb, 'JPEG', progressive=True)),
        grey_jpeg=('jpeg', encode(grey, 'JPEG')),
        cmyk=('jpg', encode(Image.fromarray(picture(4), 'CMYK'), 'JPEG')),
        exif=('jpg', encode(rgb, 'JPEG', exif=turned(6))),
        png=('png', encode(rgb, 'PNG')),
        palette=('png', encode(rgb.quantize(30), 'PNG')),
        transparent_palette=('png', encode(rgb.quantize(30), 'PNG', transparency=3)),
        deep_png=('png', encode(deep, 'PNG')),
        alpha=('png', encode(rgba, 'PNG')),
        grey_alpha=('png', encode(rgba.convert('LA'), 'PNG')),
        interlaced=('png', interlaced_png(picture(1))),
        one_bit=('png', encode(grey.convert('1'), 'PNG')),
        gif=('gif', encode(rgb, 'GIF', **frames)),
        webp=('webp', encode(rgb, 'WEBP')),
        animated_webp=('webp', encode(rgb, 'WEBP', **frames)),
        lossless_webp=('webp', encode(rgba, 'WEBP', lossless=True)),
        bmp=('bmp', encode(rgb, 'BMP')),
        tiff=('tif', encode(rgb, 'TIFF')),
        lzw_tiff=('tiff', encode(rgb, 'TIFF', compression='tiff_lzw')),
        deep_tiff=('tif', encode(deep, 'TIFF')),
        ppm=('ppm', encode(rgb, 'PPM')),
    )


def flipped(content, rng):
    changed = bytearray(content)
    for position in rng.integers(len(content), size=rng.integers(1, 9)):
        changed[position] ^= int(rng.integers(1, 256))
    return bytes(changed)


def overwritten(content, rng):
    start = int(rng.integers(len(content)))
    length = int(rng.integers(1, 65))
    return content[:start] + rng.bytes(length) + content[start + length :]


def cut_out(content, rng):
    start, end = sorted(rng.integers(len(content) + 1, size=2).tolist())
    return content[:start] + content[end:]


def flipped_head(content, rng):
    """Change bytes where formats keep sizes, modes and offsets."""
    return flipped(content[:64], rng) + content[64:]


def claim_huge(kind, content):
    """Write 60000 x 60000 into the header, or return None where that is not a matter of a few bytes."""
    little, big = struct.pack('<HH', HUGE, HUGE), struct.pack('>HH', HUGE, HUGE)
    if content.startswith(b'\xff\xd8'):
        start = min(content.find(marker) for marker in (b'\xff\xc0', b'\xff\xc2') if marker in content) + 5
        return content[:start] + big + content[start + 4 :]
    if content.startswith(b'\x89PNG'):
        header = struct.pack('>II', HUGE, HUGE) + content[24:29]
        return content[:8] + chunk(b'IHDR', header) + content[33:]
    if kind == 'bmp':
        return content[:18] + struct.pack('<ii', HUGE, HUGE) + content[26:]
    if kind == 'gif':
        return content[:6] + little + content[10:]
    if kind == 'ppm':
        return content.replace(b'56 44', b'60000 60000', 1)
    return None


def mutations(kind, content, others, rng):
    """Yield the name of each mutation with what becomes of the file."""
    for quarter in range(4):
        yield f'cut_at_{quarter}_quarters', content[: len(content) * quarter // 4]
    yield 'cut_at_the_last_byte', content[:-1]
    for number in range(14):
        yield f'flipped_{number}', flipped(content, rng)
        yield f'flipped_head_{number}', flipped_head(content, rng)
    for number in range(6):
        yield f'overwritten_{number}', overwritten(content, rng)
        yield f'cut_out_{number}', cut_out(content, rng)
    for number in range(4):
        head = others[rng.integers(len(others))]
        yield f'other_head_{number}', head[:32] + content[32:]
    yield 'with_junk', content + rng.bytes(500)
    yield 'with_a_file_behind', content + others[rng.integers(len(others))]
    yield 'after_junk', rng.bytes(9) + content
    huge = claim_huge(kind, content)
    if huge is not None:
        yield 'huge', huge


def write_files(folder, seed=0):
    """Write all kinds and mutations as ``folder/x/<kind>-<mutation>.<ending>``; return the number of files."""
    rng = np.random.default_rng(seed)
    (folder / 'x').mkdir(parents=True)
    bases = base_files()
    others = [content for _, content in bases.values()]
    count = 0
    for kind, (ending, content) in bases.items():
        files = {f'{kind}-whole.{ending}': content}
        wrong = [other for other in ('jpg', 'png', 'webp') if other != ending]
        files |= {f'{kind}-wrong_ending.{other}': content for other in wrong}
        files |= {f'{kind}-{name}.{ending}': changed for name, changed in mutations(kind, content, others, rng)}
        for name, changed in files.items():
            (folder / 'x' / name).write_bytes(changed)
        count += len(files)
    return count
