import pytest
import torch

from mmpretrain_inception import InceptionNeck

MAP = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, 8.0]]]])


def test_last_map_is_averaged_over_its_pixels():
    (pooled,) = InceptionNeck()((MAP,))
    torch.testing.assert_close(pooled, torch.tensor([[3.0, 2.0]]))


def test_a_map_of_one_pixel_keeps_its_batch_axis():
    (pooled,) = InceptionNeck()((MAP[..., :1, :1],))
    torch.testing.assert_close(pooled, torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize('kind', [tuple, list])
def test_other_maps_pass_unchanged(kind):
    others = [torch.ones(1, 4, 9, 9), torch.ones(1, 6, 5, 7)]
    result = InceptionNeck()(kind([*others, MAP]))
    assert isinstance(result, tuple)
    assert len(result) == 3
    assert all(ours is given for ours, given in zip(result, others))
