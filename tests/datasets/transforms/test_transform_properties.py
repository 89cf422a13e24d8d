"""What holds for every image, whatever its size."""

import io
from contextlib import suppress

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from mmpretrain_inception.datasets import (
    TensorFlowCentralCrop,
    TensorFlowColorDistortion,
    TensorFlowResize,
    load_image,
)
from mmpretrain_inception.datasets.transforms import color_distortion
from mmpretrain_inception.datasets.transforms.decode import decode_image
from mmpretrain_inception.errors import BrokenImageError
from mmpretrain_inception.models.tta import MultiCrop

sides = st.integers(1, 70)
images = st.tuples(sides, sides).flatmap(lambda size: arrays(np.uint8, (*size, 3)))
# Between two changes of the colours images are not clipped.
unclipped = st.tuples(sides, sides).flatmap(
    lambda size: arrays(np.float32, (*size, 3), elements=st.floats(-0.5, 1.5, width=32))
)
fractions = st.floats(0.01, 1)


def apply(transform, image):
    return transform(dict(img=image))['img']


def mirrored(image):
    return image[:, ::-1]


@given(images, fractions)
def test_the_central_crop_has_equal_margins_and_at_least_the_fraction(image, fraction):
    crop = apply(TensorFlowCentralCrop(fraction), image)
    for axis in (0, 1):
        margins = image.shape[axis] - crop.shape[axis]
        assert margins % 2 == 0
        assert image.shape[axis] * fraction - 1e-6 <= crop.shape[axis] < image.shape[axis] * fraction + 2
    np.testing.assert_array_equal(apply(TensorFlowCentralCrop(fraction), mirrored(image)), mirrored(crop))
    np.testing.assert_array_equal(apply(TensorFlowCentralCrop(1), image), image)


@given(images, sides, sides, st.booleans())
def test_resizing_gives_the_size_asked_for_and_stays_between_darkest_and_brightest(image, width, height, centres):
    resized = apply(TensorFlowResize((width, height), half_pixel_centers=centres), image)
    assert (resized.shape, resized.dtype) == ((height, width, 3), np.float32)
    for channel in range(3):
        assert image[..., channel].min() - 1e-3 <= resized[..., channel].min()
        assert resized[..., channel].max() <= image[..., channel].max() + 1e-3


@given(images, st.booleans())
def test_resizing_to_the_same_size_is_the_identity(image, centres):
    height, width = image.shape[:2]
    np.testing.assert_array_equal(apply(TensorFlowResize((width, height), half_pixel_centers=centres), image), image)


@given(images, sides, sides)
def test_resizing_by_centres_commutes_with_a_mirror(image, width, height):
    resize = TensorFlowResize((width, height), half_pixel_centers=True)
    # float32 rounds positions otherwise from the other end: 1e-5 of a pixel at a difference of 255.
    np.testing.assert_allclose(apply(resize, mirrored(image)), mirrored(apply(resize, image)), atol=0.02)


@given(unclipped)
def test_colour_changes_by_nothing_change_nothing(image):
    # A saturation is 1 at most, which it exceeds where a channel is below black.
    image = image.clip(0)
    for change, nothing in (
        *((color_distortion.adjust_brightness, 0), (color_distortion.adjust_contrast, 1)),
        *((color_distortion.adjust_saturation, 1), (color_distortion.adjust_hue, 0)),
    ):
        np.testing.assert_allclose(change(image, nothing), image, atol=1e-5, err_msg=change.__name__)


@given(unclipped, st.floats(-0.5, 0.5), st.floats(0, 2))
def test_colour_changes_keep_what_they_do_not_change(image, turn, factor):
    hue = color_distortion.adjust_hue(image, turn)
    for extreme in (np.min, np.max):
        np.testing.assert_allclose(extreme(hue, axis=2), extreme(image, axis=2), atol=1e-5)
    np.testing.assert_allclose(
        color_distortion.adjust_saturation(image, factor).max(axis=2), image.max(axis=2), atol=1e-5
    )
    contrast = color_distortion.adjust_contrast(image, factor)
    np.testing.assert_allclose(contrast.mean(axis=(0, 1)), image.mean(axis=(0, 1)), atol=1e-4)


@given(unclipped, st.floats(-0.5, 0.5))
def test_a_hue_turned_there_and_back_is_as_it_was(image, turn):
    there = color_distortion.adjust_hue(image, turn)
    np.testing.assert_allclose(color_distortion.adjust_hue(there, -turn), image, atol=1e-4)


@given(images, st.integers(0, 2**32 - 1))
def test_distorted_colours_stay_in_range_depend_on_the_seed_alone_and_commute_with_a_mirror(image, seed):
    distort = TensorFlowColorDistortion()
    results = []
    for variant in (image, image.copy(), mirrored(image)):
        np.random.seed(seed)
        results.append(apply(distort, variant))
    first, again, turned = results
    assert (first.shape, first.dtype) == (image.shape, np.float32)
    assert first.min() >= 0
    assert first.max() <= 255
    np.testing.assert_array_equal(first, again)
    # The mean of a channel, about which contrast changes, is summed in another order.
    np.testing.assert_allclose(turned, mirrored(first), atol=0.02)


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(1, 60),
    st.lists(st.integers(224, 500), min_size=1, max_size=3),
)
def test_crops_lie_within_the_resized_image_and_come_with_their_mirrors(height, width, crop_size, scales):
    multi_crop = MultiCrop(crop_size, scales)
    crops = multi_crop.crops(height, width)
    assert len(crops) == len(multi_crop) == 36 * len(scales)
    for crop in crops:
        long = max(height, width) * crop.short_side // min(height, width)
        wide, high = (crop.short_side, long) if width < height else (long, crop.short_side)
        assert 0 <= crop.left <= wide - crop.side
        assert 0 <= crop.top <= high - crop.side
        assert crop.side in (crop_size, crop.short_side)
    assert [crop._replace(mirrored=True) for crop in crops[::2]] == crops[1::2]


@settings(max_examples=15)
@given(st.tuples(st.integers(8, 70), st.integers(8, 70)).flatmap(lambda size: arrays(np.uint8, (*size, 3))))
def test_crops_are_what_their_rectangles_say(image):
    multi_crop = MultiCrop(32, scales=(224, 256))
    height, width = image.shape[:2]
    for crop, pixels in zip(multi_crop.crops(height, width), multi_crop.cut(image), strict=True):
        long = max(height, width) * crop.short_side // min(height, width)
        resized = cv2.resize(image, (crop.short_side, long) if width < height else (long, crop.short_side))
        expected = resized[crop.top : crop.top + crop.side, crop.left : crop.left + crop.side]
        if crop.side != 32:
            expected = cv2.resize(expected, (32, 32))
        np.testing.assert_array_equal(pixels, mirrored(expected) if crop.mirrored else expected)


@given(
    st.integers(1, 700),
    st.integers(1, 700),
    st.integers(1, 400),
    st.sampled_from(['cv2', 'pillow']),
    st.booleans(),
    st.booleans(),
)
def test_scaled_decoding_yields_an_eighth_a_quarter_a_half_or_all_and_never_less_than_asked(
    width, height, min_size, backend, progressive, turned
):
    content, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6 if turned else 1
    Image.new('RGB', (width, height), (90, 160, 30)).save(content, 'JPEG', progressive=progressive, exif=exif)
    image = decode_image(content.getvalue(), backend, min_size=min_size)
    full = (width, height) if turned else (height, width)
    factor = next(factor for factor in (8, 4, 2, 1) if min(full) >= min_size * factor or factor == 1)
    assert image.shape == (*(-(-side // factor) for side in full), 3)
    assert min(image.shape[:2]) >= min(min_size, *full)
    # BGR; JPEG itself is off by a level or two.
    assert np.abs(image.astype(int) - [30, 160, 90]).max() <= 3


@given(
    st.integers(1, 90).flatmap(lambda width: arrays(np.uint8, (40, width, 3))),
    st.sampled_from(['PNG', 'BMP', 'TIFF', 'PPM']),
    st.sampled_from(['cv2', 'pillow']),
)
def test_lossless_files_give_back_what_was_written(image, file_format, backend):
    content = io.BytesIO()
    Image.fromarray(image).save(content, file_format)
    np.testing.assert_array_equal(decode_image(content.getvalue(), backend, min_size=9)[..., ::-1], image)


@given(
    st.binary(max_size=300),
    st.sampled_from([b'\xff\xd8\xff\xe0', b'\x89PNG\r\n\x1a\n', b'GIF89a', b'II*\0', b'BM', b'P6\n']),
)
@pytest.mark.filterwarnings('ignore')
def test_bytes_behind_the_head_of_a_format_are_an_image_or_named(tmp_path_factory, content, head):
    path = tmp_path_factory.getbasetemp() / 'behind_a_head'
    path.write_bytes(head + content)
    with suppress(BrokenImageError):
        assert load_image(str(path)).dtype == np.uint8
