"""The costs of the networks of the paper's tables 2 and 3, as configs/inception_v3/README.md states them."""

from functools import cache

import pytest
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.evaluation.complexity import count_complexity

PAPER = 'inception-v3-paper_50xb32_in1k'
PUBLISHED = 5_731_282_144
# One 7x7 convolution of 64 channels with its batch norm for the three 3x3 ones, at 147 x 147 and 149 x 149 pixels.
THREE_3X3 = 149**2 * 32 * (27 + 2) + 147**2 * 32 * (9 * 32 + 2) + 147**2 * 64 * (9 * 32 + 2)
ONE_7X7 = 147**2 * 64 * (3 * 49 + 2)


@cache
def cost(name, size, **stem):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.backbone.update(stem)
    return count_complexity(cfg, size, size)


@pytest.mark.slow
@pytest.mark.parametrize(('size', 'multiply_adds'), [('', PUBLISHED), ('-151px', PUBLISHED), ('-79px', 5_746_165_024)])
def test_networks_of_table_2_cost_the_same_within_a_hundredth(size, multiply_adds):
    counts = cost(f'inception-v3-paper{size}_50xb32_in1k', int(size.strip('-px') or 299))
    assert counts.multiply_adds == multiply_adds
    assert counts.multiply_adds == pytest.approx(PUBLISHED, rel=0.01)
    assert counts.parameters == 23_834_568


@pytest.mark.slow
def test_79_px_without_the_padding_cost_less_than_table_2_says():
    counts = cost('inception-v3-paper-79px_50xb32_in1k', 79, stem_pool2_padding=0)
    assert counts.multiply_adds / PUBLISHED - 1 == pytest.approx(-0.062, abs=5e-4)


@pytest.mark.slow
def test_small_images_in_the_published_network_cost_far_less():
    assert cost(PAPER, 79).multiply_adds < PUBLISHED / 16


@pytest.mark.slow
@pytest.mark.parametrize(
    ('row', 'multiply_adds', 'parameters', 'auxiliary'),
    [
        ('inception-v2', PUBLISHED - THREE_3X3 + ONE_7X7, 23_815_336, 3_325_928),
        ('inception-v2-rmsprop', PUBLISHED - THREE_3X3 + ONE_7X7, 23_815_336, 3_325_928),
        ('inception-v2-rmsprop-ls', PUBLISHED - THREE_3X3 + ONE_7X7, 23_815_336, 3_325_928),
        ('inception-v2-rmsprop-ls-7x7', PUBLISHED, 23_834_568, 3_325_928),
        ('inception-v3-paper', PUBLISHED, 23_834_568, 3_326_696),
    ],
)
def test_rows_of_table_3_cost(row, multiply_adds, parameters, auxiliary):
    counts = cost(f'{row}_50xb32_in1k', 299)
    assert counts[:3] == (parameters, auxiliary, multiply_adds)
