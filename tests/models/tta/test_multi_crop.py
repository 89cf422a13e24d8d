import cv2
import numpy as np
import pytest

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.tta import Crop, MultiCrop

# An image of 500 x 375 pixels, by hand: the short side at each scale is 256, 288, 320, 352 times 299 / 224 = 341.7,
# 384.4, 427.1, 469.9; the long side that times 4/3, rounded down. The squares lie at the two ends and in the middle of
# the long side; in them a crop of 299 lies at 0, at the side less 299, or at half of that, rounded down.
#        short, long, squares at,       crops at
SCALES = [
    (342, 456, (0, 57, 114), (0, 21, 43)),
    (384, 512, (0, 64, 128), (0, 42, 85)),
    (427, 569, (0, 71, 142), (0, 64, 128)),
    (470, 626, (0, 78, 156), (0, 85, 171)),
]


def rectangles_by_hand():
    """List (size of the resized image, left, top, side, mirrored) of all 144, left to right before top to bottom."""
    rectangles = []
    for short, long, squares, (start, middle, end) in SCALES:
        for square in squares:
            places = [(start, start), (end, start), (start, end), (end, end), (middle, middle)]
            for mirrored in (False, True):
                rectangles += [((long, short), square + x, y, 299, mirrored) for x, y in places]
                rectangles.append(((long, short), square, 0, short, mirrored))
    return rectangles


def test_the_144_crops_of_a_landscape_are_those_computed_by_hand():
    crops = MultiCrop().crops(375, 500)
    expected = {Crop(short, left, top, side, m) for (_, short), left, top, side, m in rectangles_by_hand()}
    assert len(crops) == len(set(crops)) == len(expected) == len(MultiCrop()) == 144
    assert set(crops) == expected


def test_those_of_a_portrait_are_the_same_on_their_side():
    crops = MultiCrop().crops(500, 375)
    expected = {Crop(short, top, left, side, m) for (_, short), left, top, side, m in rectangles_by_hand()}
    assert set(crops) == expected


def test_twelve_crops_are_the_central_square_at_one_scale():
    crops = MultiCrop(scales=(256,), squares=('centre',)).crops(375, 500)
    corners = [(57, 0), (100, 0), (57, 43), (100, 43), (78, 21)]
    expected = [Crop(342, x, y, 299, m) for x, y in corners for m in (False, True)]
    assert crops == [*expected, *(Crop(342, 57, 0, 342, m) for m in (False, True))]


@pytest.mark.parametrize(('crop_size', 'short_sides'), [(224, [256, 288, 320, 352]), (75, [86, 96, 107, 118])])
def test_scales_follow_the_size_of_the_crops(crop_size, short_sides):
    assert MultiCrop(crop_size).short_sides == short_sides


@pytest.mark.parametrize(('height', 'width'), [(375, 500), (333, 500), (500, 281), (299, 299), (1200, 91)])
def test_no_crop_leaves_the_image(height, width):
    multi_crop = MultiCrop(75)
    image = np.zeros((height, width, 3), np.uint8)
    crops = list(multi_crop.cut(image))
    assert len(crops) == 144
    assert {crop.shape for crop in crops} == {(75, 75, 3)}
    for crop in multi_crop.crops(height, width):
        scale = crop.short_side / min(height, width)
        assert crop.left + crop.side <= width * scale + 1e-6
        assert crop.top + crop.side <= height * scale + 1e-6


def test_crops_are_cut_as_opencv_would():
    image = np.random.default_rng(0).integers(0, 256, (375, 500, 3), dtype=np.uint8)
    expected = set()
    for size, left, top, side, mirrored in rectangles_by_hand():
        crop = cv2.resize(image, size)[top : top + side, left : left + side]
        crop = cv2.resize(crop, (299, 299)) if side != 299 else crop
        expected.add((cv2.flip(crop, 1) if mirrored else crop).tobytes())
    crops = [crop.tobytes() for crop in MultiCrop().cut(image)]
    assert len(set(crops)) == 144
    assert set(crops) == expected


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(scales=(223,)), r'at least 224 pixels, got \[223\]'),
        (dict(scales=()), r'at least 224 pixels, got \[\]'),
        (dict(squares=('left',)), r"squares: expected some of start, centre, end, got \['left'\]"),
        (dict(squares=()), r'got \[\]'),
    ],
)
def test_crops_that_cannot_be_cut(options, message):
    with pytest.raises(InputError, match=message):
        MultiCrop(**options)
