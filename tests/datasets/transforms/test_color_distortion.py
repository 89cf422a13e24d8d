import numpy as np
import pytest

from mmpretrain_inception.datasets.transforms import TensorFlowColorDistortion, color_distortion

NAMES = ('brightness', 'contrast', 'saturation', 'hue')


@pytest.fixture
def image():
    """BGR noise from -0.3 to 1.5, as it is between two changes, with rows of grey, black and white."""
    image = np.random.default_rng(0).uniform(-0.3, 1.5, size=(24, 20, 3)).astype(np.float32)
    image[:3] = image[:3, :, :1]
    image[3], image[4] = 0, 1
    return image


@pytest.mark.parametrize(
    ('name', 'amount'),
    [
        *[('brightness', amount) for amount in (-0.1, 32 / 255)],
        *[('contrast', amount) for amount in (0.5, 1.5)],
        *[('saturation', amount) for amount in (0.0, 0.5, 1.5, 3.0)],
        *[('hue', amount) for amount in (-0.2, 0.07, 0.2)],
    ],
)
def test_each_change_is_tensorflows(image, name, amount):
    tf = pytest.importorskip('tensorflow')
    expected = getattr(tf.image, f'adjust_{name}')(image[..., ::-1], amount).numpy()[..., ::-1]
    changed = getattr(color_distortion, f'adjust_{name}')(image, amount)
    np.testing.assert_allclose(changed, expected, atol=3e-6)


@pytest.mark.parametrize('name', NAMES)
def test_no_change_leaves_the_image(image, name):
    image = image.clip(0, 1)
    neutral = 0.0 if name in ('brightness', 'hue') else 1.0
    np.testing.assert_allclose(getattr(color_distortion, f'adjust_{name}')(image, neutral), image, atol=1e-6)


def test_changes_by_hand():
    red = np.array([[[0.2, 0.2, 0.6]]], np.float32)
    np.testing.assert_allclose(color_distortion.adjust_brightness(red, 0.1)[0, 0], [0.3, 0.3, 0.7], atol=1e-6)
    # The largest stays, the others move away from it by half.
    np.testing.assert_allclose(color_distortion.adjust_saturation(red, 1.5)[0, 0], [0, 0, 0.6], atol=1e-6)
    # A third of a turn makes red green.
    np.testing.assert_allclose(color_distortion.adjust_hue(red, 1 / 3)[0, 0], [0.2, 0.6, 0.2], atol=1e-6)
    pair = np.array([[[0.2, 0.0, 0.5], [0.6, 0.0, 0.5]]], np.float32)
    np.testing.assert_allclose(
        color_distortion.adjust_contrast(pair, 0.5)[0], [[0.3, 0.0, 0.5], [0.5, 0.0, 0.5]], atol=1e-6
    )


def test_the_distortion_is_one_of_four_orders_within_the_ranges():
    transform = TensorFlowColorDistortion()
    np.random.seed(0)
    draws = [transform._draw() for _ in range(400)]
    orders = [tuple(name for name, _ in draw) for draw in draws]
    assert set(orders) == set(color_distortion._ORDERS)
    assert all(sorted(order) == sorted(NAMES) for order in orders)
    # 400 draws come within a fiftieth of either end.
    for name, low, high in (
        ('brightness', -32, 32),
        ('saturation', 0.5, 1.5),
        ('contrast', 0.5, 1.5),
        ('hue', -0.2, 0.2),
    ):
        amounts = np.array([dict(draw)[name] for draw in draws]) * (255 if name == 'brightness' else 1)
        assert low <= amounts.min() < low + (high - low) / 50
        assert high >= amounts.max() > high - (high - low) / 50


def test_the_result_is_unrounded_and_within_the_range():
    image = np.random.default_rng(0).integers(256, size=(16, 16, 3), dtype=np.uint8)
    np.random.seed(0)
    for _ in range(20):
        result = TensorFlowColorDistortion()({'img': image.copy()})['img']
        assert result.dtype == np.float32
        assert result.min() >= 0
        assert result.max() <= 255
        assert (result != result.round()).any()
    nothing = dict(brightness=0, saturation=(1, 1), hue=0, contrast=(1, 1))
    unchanged = TensorFlowColorDistortion(**nothing)({'img': image})['img']
    np.testing.assert_allclose(unchanged, image, atol=1e-3)


@pytest.mark.parametrize(
    'wrong', [dict(brightness=-0.1), dict(contrast=(1.5, 0.5)), dict(saturation=(-1, 1)), dict(hue=-1)]
)
def test_wrong_ranges_are_refused(wrong):
    with pytest.raises(ValueError, match=r'expected brightness and hue of at least 0.* got brightness'):
        TensorFlowColorDistortion(**wrong)
