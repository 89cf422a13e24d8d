import pytest
from mmengine.config import Config
from support import CONFIGS

from mmpretrain_inception.evaluation.complexity import count_complexity, format_complexity


@pytest.mark.slow
@pytest.mark.parametrize(
    ('name', 'auxiliary'), [('inception-v3_8xb32_in1k', 0), ('inception-v3-aux_8xb32_in1k', 3_326_696)]
)
def test_the_published_row(name, auxiliary):
    counts = count_complexity(Config.fromfile(CONFIGS / f'{name}.py'), 299, 299)
    assert counts.parameters == 23_834_568
    assert counts.auxiliary == auxiliary
    assert 5.71e9 <= counts.multiply_adds <= 5.75e9
    assert 8.95e6 <= counts.activations <= 8.98e6
    text = format_complexity(counts, 299, 299)
    assert '23.83 M' in text
    assert 'A FLOP is one multiply-add' in text
