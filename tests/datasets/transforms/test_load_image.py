import io
import os
import re
import socket
import struct
import zlib

import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmengine.fileio import BaseStorageBackend, register_backend
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from mmpretrain_inception.datasets import LoadImage, load_image
from mmpretrain_inception.datasets.image_kinds import FORMATS
from mmpretrain_inception.errors import BrokenImageError, InputError

SIZE = (97, 60)  # of neither side a multiple of eight


def smooth(seed=0, size=SIZE):
    """A picture without noise, as RGB."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def translucent():
    picture = smooth().convert('RGBA')
    picture.putalpha(Image.linear_gradient('L').resize(SIZE))
    return picture


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def frames():
    return dict(save_all=True, append_images=[smooth(1), smooth(2)])


# Name: the picture and how Pillow saves it. What they become is Pillow's `convert('RGB')`.
AS_PILLOW = {
    'baseline.jpg': (smooth, dict(quality=90)),
    'full-chroma.jpg': (smooth, dict(quality=95, subsampling=0)),
    'progressive.jpg': (smooth, dict(progressive=True)),
    'grey.jpg': (lambda: smooth().convert('L'), {}),
    'several.mpo': (smooth, frames()),
    'colour.png': (smooth, {}),
    'grey.png': (lambda: smooth().convert('L'), {}),
    'black-and-white.png': (lambda: smooth().convert('1'), {}),
    'alpha.png': (translucent, {}),
    'grey-alpha.png': (lambda: translucent().convert('LA'), {}),
    'palette.png': (lambda: smooth().quantize(32), {}),
    'palette-transparent.png': (lambda: smooth().quantize(32), dict(transparency=bytes(range(32)))),
    'animated.png': (smooth, frames()),
    'animated.gif': (smooth, frames()),
    'transparent.gif': (lambda: smooth().quantize(32), dict(transparency=3)),
    'lossy.webp': (smooth, {}),
    'alpha.webp': (translucent, dict(lossless=True)),
    'animated.webp': (smooth, dict(lossless=True, **frames())),
    'plain.tif': (smooth, {}),
    'packed.tif': (smooth, dict(compression='tiff_lzw')),
    'cmyk.tif': (lambda: smooth().convert('CMYK'), {}),
    'plain.bmp': (smooth, {}),
    'plain.ppm': (smooth, {}),
    'plain.dib': (smooth, {}),
    'lossy.avif': (smooth, {}),
    'alpha.avif': (translucent, {}),
    'lossless.jp2': (smooth, {}),
    'plain.tga': (smooth, {}),
    'packed.tga': (smooth, dict(compression='tga_rle')),
    'plain.pcx': (smooth, {}),
    'plain.sgi': (smooth, {}),
    'plain.qoi': (smooth, {}),
    'plain.dds': (smooth, {}),
}
if 'HEIF' in FORMATS:
    AS_PILLOW['photo.heic'] = (smooth, {})
BACKENDS = ('cv2', 'pillow')


def written(folder, name, picture=smooth, **settings):
    path = folder / name
    picture().save(path, **settings)
    return str(path)


def pillow(path):
    return np.asarray(Image.open(path).convert('RGB'))[..., ::-1]


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', AS_PILLOW)
def test_a_kind_of_file_becomes_what_pillow_makes_of_it(tmp_path, name, backend, recwarn):
    picture, settings = AS_PILLOW[name]
    path = written(tmp_path, name, picture, **settings)
    image = load_image(path, backend=backend)
    assert [str(warning.message) for warning in recwarn] == []
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    np.testing.assert_array_equal(image, pillow(path))


def test_cmyk_is_pillows_and_one_level_brighter_by_opencv(tmp_path):
    path = written(tmp_path, 'cmyk.jpg', lambda: smooth().convert('CMYK'))
    np.testing.assert_array_equal(load_image(path, backend='pillow'), pillow(path))
    assert np.abs(load_image(path).astype(int) - pillow(path)).max() <= 1


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', ['grey.png', 'grey.tif', 'grey.pgm'])
def test_sixteen_bits_keep_the_upper_eight(tmp_path, name, backend):
    levels = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE[::-1]) * 11
    cv2.imwrite(str(tmp_path / name), levels)
    np.testing.assert_array_equal(load_image(str(tmp_path / name), backend=backend), np.stack([levels >> 8] * 3, 2))


@pytest.mark.parametrize('name', ['colour.png', 'colour.tif', 'colour.ppm'])
def test_sixteen_bits_of_colour_keep_the_upper_eight(tmp_path, name):
    levels = np.arange(SIZE[0] * SIZE[1] * 3, dtype=np.uint16).reshape(*SIZE[::-1], 3) * 3
    cv2.imwrite(str(tmp_path / name), levels)
    assert np.abs(load_image(str(tmp_path / name)).astype(int) - (levels >> 8)).max() <= (name == 'colour.ppm')


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', ['turned.jpg', 'turned.png', 'turned.webp'])
def test_exif_turns_an_image_unless_it_is_to_be_ignored(tmp_path, name, backend):
    path = written(tmp_path, name, exif=turned(), **(dict(lossless=True) if name.endswith('webp') else {}))
    flat = load_image(path, backend=backend, turn=False)
    np.testing.assert_array_equal(flat, pillow(path))
    np.testing.assert_array_equal(load_image(path, backend=backend), np.rot90(flat, -1))


def test_content_counts_and_not_the_ending(tmp_path):
    path = written(tmp_path, 'picture.jpg', format='PNG')
    np.testing.assert_array_equal(load_image(path), pillow(path))


def with_thumbnail():
    """A JPEG file that holds another, with an end marker of its own, in its EXIF."""
    thumbnail = io.BytesIO()
    smooth(size=(32, 20)).save(thumbnail, 'JPEG')
    picture = io.BytesIO()
    smooth().save(picture, 'JPEG')
    segment = b'Exif\0\0' + thumbnail.getvalue()
    content = picture.getvalue()
    return content[:2] + b'\xff\xe1' + (len(segment) + 2).to_bytes(2, 'big') + segment + content[2:]


def content_of(name):
    if name == 'thumbnail.jpg':
        return with_thumbnail()
    picture, settings = AS_PILLOW[name]
    buffer = io.BytesIO()
    picture().save(buffer, format=Image.registered_extensions()['.' + name.rpartition('.')[2]], **settings)
    return buffer.getvalue()


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize(
    'name',
    [
        *('baseline.jpg', 'progressive.jpg', 'grey.jpg', 'thumbnail.jpg', 'colour.png', 'alpha.png', 'lossy.webp'),
        *('plain.tif', 'packed.tif', 'plain.bmp', 'plain.ppm', 'lossy.avif', 'lossless.jp2', 'plain.tga', 'plain.qoi'),
    ],
)
def test_truncated_files_are_named(tmp_path, name, backend):
    content = content_of(name)
    for share in (0.02, 0.25, 0.5, 0.75, 0.95):
        path = tmp_path / name
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(BrokenImageError, match=re.escape(f'{path}: ')) as caught:
            load_image(str(path), backend=backend)
        assert caught.value.path == str(path)


@pytest.mark.parametrize('backend', BACKENDS)
def test_a_jpeg_file_ends_at_its_marker_and_not_at_that_of_a_thumbnail(tmp_path, backend):
    content = with_thumbnail()
    path = tmp_path / 'picture.jpg'
    path.write_bytes(content[:-2])
    with pytest.raises(BrokenImageError, match='truncated: its end marker is missing'):
        load_image(str(path), backend=backend)
    path.write_bytes(content + bytes(100))
    assert load_image(str(path), backend=backend).shape == (60, 97, 3)


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (None, 'No such file or directory'),
        (b'', 'the file is empty'),
        (b'no image at all' * 20, 'it is not an image of a known format'),
        (b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n', 'it is not an image of a known format'),
    ],
)
def test_files_without_an_image_are_named(tmp_path, content, reason):
    path = tmp_path / 'picture.jpg'
    if content is not None:
        path.write_bytes(content)
    for backend in BACKENDS:
        with pytest.raises(BrokenImageError, match=re.escape(f'{path}: {reason}')):
            load_image(str(path), backend=backend)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(BrokenImageError, match=re.escape(f'{tmp_path}: Is a directory')):
        load_image(str(tmp_path))


def test_pixels_of_32_bits_have_no_range(tmp_path):
    Image.fromarray(np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)).save(tmp_path / 'float.tif')
    with pytest.raises(BrokenImageError, match='expected pixels of 8 or 16 bits, got 32 bits'):
        load_image(str(tmp_path / 'float.tif'))


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', ['baseline.jpg', 'colour.png', 'animated.gif', 'plain.tif'])
def test_more_pixels_than_the_limit_are_refused(tmp_path, name, backend):
    picture, settings = AS_PILLOW[name]
    path = written(tmp_path, name, picture, **settings)
    pixels = SIZE[0] * SIZE[1]
    assert load_image(path, backend=backend, max_pixels=pixels).shape == (60, 97, 3)
    with pytest.raises(BrokenImageError, match=f'expected at most {pixels - 1:,} pixels, got 97 x 60'):
        load_image(path, backend=backend, max_pixels=pixels - 1)


@pytest.mark.parametrize('name', ['large.png', 'large.gif'])
@pytest.mark.parametrize('side', [10_000, 30_000])
@pytest.mark.filterwarnings('ignore::PIL.Image.DecompressionBombWarning')
def test_the_limit_is_found_in_the_header_before_anything_is_decoded(tmp_path, name, side):
    content = bytearray(content_of('colour.png' if name.endswith('png') else 'animated.gif'))
    if name.endswith('png'):
        content[16:24] = side.to_bytes(4, 'big') * 2
        content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, 'big')
    else:
        content[6:10] = side.to_bytes(2, 'little') * 2
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BrokenImageError, match=r'expected at most 89,478,485 pixels|exceeds limit'):
        load_image(str(tmp_path / name))


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize(('min_size', 'shape'), [(None, 803), (402, 803), (401, 402), (200, 201), (100, 101), (9, 101)])
def test_a_large_jpeg_file_is_decoded_no_smaller_than_is_needed(tmp_path, backend, min_size, shape):
    path = written(tmp_path, 'large.jpg', lambda: smooth(size=(1201, 803)))
    assert load_image(path, backend=backend, min_size=min_size).shape[0] == shape


@pytest.mark.parametrize('factor', [2, 4, 8])
@pytest.mark.parametrize('settings', [{}, dict(progressive=True), dict(exif=turned())], ids=['plain', 'prog', 'exif'])
def test_both_back_ends_reduce_alike_and_to_the_mean_of_what_falls_together(tmp_path, factor, settings):
    path = written(tmp_path, 'large.jpg', lambda: smooth(size=(640, 480)), quality=95, **settings)
    reduced = load_image(path, min_size=480 // factor)
    np.testing.assert_array_equal(reduced, load_image(path, backend='pillow', min_size=480 // factor))
    height, width = reduced.shape[:2]
    means = load_image(path).reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    assert np.abs(reduced - means).mean() < 1


def test_other_files_are_never_reduced(tmp_path):
    path = written(tmp_path, 'large.png', lambda: smooth(size=(640, 480)))
    assert load_image(path, min_size=60).shape == (480, 640, 3)


def test_the_transform_is_built_from_a_config_and_sets_what_pipelines_expect(tmp_path):
    path = written(tmp_path, 'turned.jpg', exif=turned())
    transform = TRANSFORMS.build(dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow'))
    results = transform(dict(img_path=path, gt_label=3))
    assert (results['img_shape'], results['ori_shape'], results['gt_label']) == ((97, 60), (97, 60), 3)
    np.testing.assert_array_equal(results['img'], load_image(path))
    assert "imdecode_backend='pillow', min_size=None" in repr(transform)


def test_an_image_that_an_inferencer_has_loaded_passes(tmp_path):
    image = np.asarray(smooth())
    assert Compose([LoadImage()])(dict(img=image))['img'] is image


@pytest.mark.parametrize('wrong', [dict(color_type='grayscale'), dict(imdecode_backend='turbojpeg')])
def test_unknown_settings_are_refused(wrong):
    with pytest.raises(InputError, match=r'expected .*, got (grayscale|turbojpeg)'):
        LoadImage(**wrong)


@pytest.mark.parametrize('backend', BACKENDS)
def test_flipped_bytes_decode_or_are_named(tmp_path, backend):
    rng = np.random.default_rng(0)
    path = tmp_path / 'picture'
    named = 0
    for name in ('baseline.jpg', 'progressive.jpg', 'colour.png', 'animated.gif', 'lossy.webp', 'packed.tif'):
        content = np.frombuffer(content_of(name), np.uint8)
        for _ in range(25):
            mutated = content.copy()
            mutated[rng.integers(len(content), size=rng.integers(1, 9))] = rng.integers(256)
            path.write_bytes(mutated.tobytes())
            try:
                image = load_image(str(path), backend=backend)
            except BrokenImageError as error:
                named += error.path == str(path)
            else:
                assert image.dtype == np.uint8
                assert image.shape[2] == 3
    assert 10 < named < 140


@pytest.mark.skipif(os.name != 'posix' or os.geteuid() == 0, reason='root reads everything')
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    path = written(tmp_path, 'secret.png')
    os.chmod(path, 0)
    with pytest.raises(BrokenImageError, match='Permission denied'):
        load_image(path)


def with_scans(count):
    """A progressive JPEG file with the scans of libjpeg, the last one repeated up to ``count`` scans."""
    content = content_of('progressive.jpg')
    starts = [match.start() for match in re.finditer(b'\xff\xda', content)]
    return content[:-2] + content[starts[-1] : -2] * (count - len(starts)) + content[-2:]


@pytest.mark.parametrize('backend', BACKENDS)
def test_a_jpeg_file_has_at_most_a_hundred_scans(tmp_path, backend):
    path = tmp_path / 'scans.jpg'
    path.write_bytes(with_scans(100))
    assert load_image(str(path), backend=backend).shape == (60, 97, 3)
    for content in (with_scans(101), with_scans(3000), hidden_scans(300)):
        path.write_bytes(content)
        with pytest.raises(BrokenImageError, match='expected at most 100 scans in a JPEG file, got more'):
            load_image(str(path), backend=backend)


def hidden_scans(count):
    """The same behind a comment that pretends that the image ends."""
    content = with_scans(count)
    second = [match.start() for match in re.finditer(b'\xff\xda', content)][1]
    return content[:second] + b'\xff\xfe\x00\x06\xff\xd9\xff\xd9' + content[second:]


@pytest.mark.parametrize('backend', BACKENDS)
def test_what_looks_like_scans_beside_the_image_does_not_count(tmp_path, backend):
    content = content_of('progressive.jpg')
    path = tmp_path / 'phone.jpg'
    comment = b'\xff\xfe' + (2 + 2 * 5000).to_bytes(2, 'big') + b'\xff\xda' * 5000
    path.write_bytes(content[:2] + comment + content[2:] + b'\xff\xda' * 5000)  # a film, as phones append it
    np.testing.assert_array_equal(load_image(str(path), backend=backend), pillow(path))


@pytest.mark.parametrize('name', ['sparse.png', 'sparse.jpg', 'sparse.webp'])
def test_a_file_larger_than_any_image_is_refused_before_it_is_read(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(content_of('colour.png'))
    os.truncate(path, 3 * 2**30)
    limit = 8 * 89_478_485 + 2**26
    with pytest.raises(BrokenImageError, match=f'expected at most {limit:,} bytes .* got 3,221,225,472'):
        load_image(str(path))
    os.truncate(path, 8 * 10_000 + 2**26)
    assert load_image(str(path), max_pixels=10_000).shape == (60, 97, 3)


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no named pipes on this system')
@pytest.mark.parametrize('kind', ['pipe', 'socket', 'device', 'link to a device', 'link to a pipe'])
def test_what_is_no_file_is_refused_at_once(tmp_path, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = tmp_path / 'x.jpg'
    if kind == 'device':
        path = '/dev/zero'
    elif kind == 'link to a device':
        path.symlink_to('/dev/zero')
    elif kind == 'socket':
        socket.socket(socket.AF_UNIX).bind('x.jpg')
    elif kind == 'pipe':
        os.mkfifo(path)
    else:
        os.mkfifo('pipe')
        path.symlink_to('pipe')
    with pytest.raises(BrokenImageError, match='expected a file, got a device, pipe or socket'):
        load_image(str(path))


def test_a_link_into_itself_and_a_name_that_cannot_be_are_refused(tmp_path):
    (tmp_path / 'x.jpg').symlink_to('x.jpg')
    with pytest.raises(BrokenImageError, match='Too many levels of symbolic links'):
        load_image(str(tmp_path / 'x.jpg'))
    with pytest.raises(BrokenImageError, match=r'a\\x00b\.jpg: embedded null byte'):
        load_image('a\0b.jpg')


def test_a_name_that_is_no_text_is_loaded_and_named_as_escapes(tmp_path):
    path = os.fsdecode(os.path.join(os.fsencode(tmp_path), b'caf\xe9\n.png'))
    os.rename(written(tmp_path, 'colour.png'), path)
    assert load_image(path).shape == (60, 97, 3)
    with open(path, 'wb'):
        pass
    with pytest.raises(BrokenImageError) as caught:
        load_image(path)
    assert str(caught.value) == rf'{tmp_path}/caf\xe9\n.png: the file is empty'


def test_other_file_backends_read_as_they_do(tmp_path):
    path = written(tmp_path, 'colour.png')

    @register_backend('upside_down', force=True)
    class UpsideDown(BaseStorageBackend):
        def get(self, filepath):
            with open(filepath[::-1], 'rb') as file:
                return file.read()

        def get_text(self, filepath):
            raise NotImplementedError

    np.testing.assert_array_equal(load_image(path[::-1], dict(backend='upside_down')), pillow(path))


def tiff_of_tiles(side, order='<', big=False):
    """A grey TIFF file of tiles of one pixel each, or the same as a BigTIFF file."""
    count, tags = side * side, 10
    offset, number, tag = ('Q', 'Q', 'HHQQ') if big else ('I', 'H', 'HHII')
    first = 16 if big else 8
    lists = first + struct.calcsize(order + number) + tags * struct.calcsize(order + tag) + struct.calcsize(offset)
    values = [(256, side), (257, side), (258, 8), (259, 1), (262, 1), (277, 1), (322, 1), (323, 1)]
    entries = [struct.pack(order + tag, name, 4, 1, value) for name, value in values]
    entries += [struct.pack(order + tag, name, 4, count, lists + place) for name, place in ((324, 0), (325, 4 * count))]
    magic = {'<': b'II', '>': b'MM'}[order] + struct.pack(order + 'H', 43 if big else 42)
    magic += struct.pack(order + 'HHQ', 8, 0, first) if big else struct.pack(order + 'I', first)
    end = struct.pack(order + offset, 0) + struct.pack(order + 'I', 8) * count + struct.pack(order + 'I', 1) * count
    return magic + struct.pack(order + number, tags) + b''.join(entries) + end


@pytest.mark.parametrize(('order', 'big'), [('<', False), ('>', False), ('<', True)])
def test_a_tiff_file_has_at_most_a_hundred_thousand_tiles(tmp_path, order, big):
    path = tmp_path / 'tiles.tif'
    path.write_bytes(tiff_of_tiles(50, order, big))
    assert load_image(str(path)).shape == (50, 50, 3)
    path.write_bytes(tiff_of_tiles(400, order, big))
    with pytest.raises(BrokenImageError, match='expected at most 100,000 strips or tiles in a TIFF file, got more'):
        load_image(str(path))


@pytest.mark.parametrize('kind', ['P1', 'P2', 'P3'])
def test_a_netpbm_file_of_text_has_at_most_a_thousand_comments(tmp_path, kind):
    path = tmp_path / 'comments.pnm'
    head = f'{kind} 10 10 {"" if kind == "P1" else 255}\n'.encode()
    pixels = b'0 ' * (300 if kind == 'P3' else 100)
    path.write_bytes(head + b'#\n' * 1000 + pixels)
    assert load_image(str(path)).shape == (10, 10, 3)
    path.write_bytes(head + b'#\n' * 1001 + pixels)
    with pytest.raises(BrokenImageError, match='expected at most 1,000 comments in a Netpbm file, got more'):
        load_image(str(path))


@pytest.mark.parametrize('size', [(1, 65_536), (65_536, 1)])
def test_a_side_is_no_longer_than_those_of_jpeg_files(tmp_path, size):
    Image.new('L', (65_535, 1)).save(tmp_path / 'long.png')
    assert load_image(str(tmp_path / 'long.png')).shape == (1, 65_535, 3)
    Image.new('L', size).save(tmp_path / 'longer.png')
    with pytest.raises(BrokenImageError, match=f'sides of at most 65,535 pixels, got {size[0]} x {size[1]}'):
        load_image(str(tmp_path / 'longer.png'))


def bomb():
    """128 MiB of zeros in 128 KiB."""
    return zlib.compress(bytes(2**27))


def chunk(name, content):
    return len(content).to_bytes(4, 'big') + name + content + zlib.crc32(name + content).to_bytes(4, 'big')


BOMBS = {
    'iTXt': lambda: chunk(b'iTXt', b'a\0\1\0\0\0' + bomb()),
    'zTXt': lambda: chunk(b'zTXt', b'a\0\0' + bomb()),
    'iCCP': lambda: chunk(b'iCCP', b'a\0\0' + bomb()),
}


@pytest.mark.parametrize('backend', BACKENDS)
@pytest.mark.parametrize('name', BOMBS)
def test_texts_and_profiles_that_unpack_to_much_are_refused(tmp_path, name, backend):
    content = content_of('colour.png')
    (tmp_path / 'bomb.png').write_bytes(content[:33] + BOMBS[name]() + content[33:])
    with pytest.raises(BrokenImageError, match='Decompressed data too large'):
        load_image(str(tmp_path / 'bomb.png'), backend=backend)


@pytest.mark.parametrize('backend', BACKENDS)
def test_of_an_animation_only_the_first_frame_is_decoded(tmp_path, backend):
    content = content_of('animated.gif')
    giant = b',' + struct.pack('<HHHHB', 0, 0, 65_535, 65_535, 0) + b'\x02\x01\x84\x00'
    (tmp_path / 'giant.gif').write_bytes(content[:-1] + giant + b';')
    np.testing.assert_array_equal(load_image(str(tmp_path / 'giant.gif'), backend=backend), first_frame(content))
    (tmp_path / 'first.gif').write_bytes(content[:13] + content[13 : content.index(b',', 13 + 768)] + giant + b';')
    with pytest.raises(BrokenImageError, match='exceeds limit'):
        load_image(str(tmp_path / 'first.gif'), backend=backend)


def first_frame(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert('RGB'))[..., ::-1]
