import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import TRANSFORMS
from support import CONFIGS
from torch.nn import functional

from mmpretrain_inception.datasets import TensorFlowCentralCrop, TensorFlowResize

SIZES = [(75, 75), (299, 299), (37, 513), (600, 401), (1, 2)]


@pytest.fixture
def tensorflow():
    return pytest.importorskip('tensorflow')


def image_of(height, width, dtype=np.uint8):
    return np.random.default_rng(height).integers(0, 256, (height, width, 3)).astype(dtype)


def crop(image, **kwargs):
    return TensorFlowCentralCrop(**kwargs)(dict(img=image))


def resize(image, scale, **kwargs):
    return TensorFlowResize(scale, **kwargs)(dict(img=image))


@pytest.mark.parametrize('size', SIZES, ids=str)
@pytest.mark.parametrize('half_pixel_centers', [False, True])
def test_resize_is_tensorflows_bit_for_bit(tensorflow, size, half_pixel_centers):
    image = image_of(*size)
    expected = tensorflow.compat.v1.image.resize_bilinear(
        image[None], (299, 151), half_pixel_centers=half_pixel_centers
    )
    actual = resize(image, (151, 299), half_pixel_centers=half_pixel_centers)['img']
    assert actual.dtype == np.float32
    assert np.array_equal(actual, expected[0])


def test_aligned_centres_are_what_tensorflow_2_aligns(tensorflow):
    image = image_of(123, 456)
    expected = tensorflow.image.resize(image, (299, 299))
    assert np.array_equal(resize(image, 299, half_pixel_centers=True)['img'], expected)


@pytest.mark.parametrize('size', SIZES, ids=str)
@pytest.mark.parametrize('fraction', [0.875, 0.5, 1.0])
def test_crop_is_tensorflows(tensorflow, size, fraction):
    image = image_of(*size)
    assert np.array_equal(crop(image, fraction=fraction)['img'], tensorflow.image.central_crop(image, fraction))


def test_aligned_centres_are_what_pytorch_aligns():
    image = image_of(600, 401)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    expected = functional.interpolate(pixels, size=(299, 299), mode='bilinear', align_corners=False)
    actual = torch.from_numpy(resize(image, 299, half_pixel_centers=True)['img'])
    assert (actual - expected[0].permute(1, 2, 0)).abs().max() < 1e-3  # of 255


def test_corners_and_centres_are_aligned_as_computed_by_hand():
    row = np.array([[[0], [10], [20], [60]]], np.uint8)
    assert resize(row, (2, 1))['img'].ravel().tolist() == [0, 20]
    assert resize(row, (2, 1), half_pixel_centers=True)['img'].ravel().tolist() == [5, 40]
    assert resize(row[:, :2], (4, 1))['img'].ravel().tolist() == [0, 5, 10, 10]
    assert resize(row[:, :2], (4, 1), half_pixel_centers=True)['img'].ravel().tolist() == [0, 2.5, 7.5, 10]


def test_greyscale_without_a_channel_axis_gives_what_a_channel_gives():
    image = image_of(90, 80)
    single = resize(crop(image[..., 0])['img'], (75, 99))['img']
    assert np.array_equal(single, resize(crop(image)['img'], (75, 99))['img'][..., 0])


def test_the_shapes_in_the_results_are_those_of_the_image():
    cropped = crop(image_of(80, 100))
    assert cropped['img_shape'] == cropped['img'].shape[:2] == (70, 88)
    resized = resize(image_of(80, 100), (50, 160))
    assert resized['img_shape'] == resized['img'].shape[:2] == (160, 50)
    assert resized['scale'] == (50, 160)
    assert resized['scale_factor'] == (0.5, 2.0)


@pytest.mark.parametrize(
    ('transform', 'value', 'message'),
    [
        (TensorFlowCentralCrop, 0, r'above 0 and at most 1, got 0'),
        (TensorFlowCentralCrop, 1.2, r'above 0 and at most 1, got 1\.2'),
        (TensorFlowResize, 0, r'at least 1 pixel, got 0'),
        (TensorFlowResize, (299, -1), r'at least 1 pixel, got \(299, -1\)'),
    ],
)
def test_impossible_settings_are_refused(transform, value, message):
    with pytest.raises(ValueError, match=message):
        transform(value)


def test_configs_build_them_in_either_scope():
    cfg = Config.fromfile(CONFIGS / 'inception-v3_timm-tf-tfeval_in1k.py')
    settings = cfg.test_dataloader.dataset.pipeline[1:3]
    assert [repr(TRANSFORMS.build(transform)) for transform in settings] == [
        'TensorFlowCentralCrop(fraction=0.875)',
        'TensorFlowResize(scale=(299, 299), half_pixel_centers=False)',
    ]
    inherited = dict(type='TensorFlowResize', scale=75, _scope_='mmpretrain_inception')
    assert isinstance(TRANSFORMS.build(inherited), TensorFlowResize)
