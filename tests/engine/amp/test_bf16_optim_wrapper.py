import torch
from torch import nn

from mmpretrain_inception.registry import OPTIM_WRAPPERS


def test_the_forward_pass_is_bfloat16_and_the_update_float32():
    model = nn.Linear(4, 2)
    before = model.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    wrapper = OPTIM_WRAPPERS.build(dict(type='mmpretrain_inception.BF16OptimWrapper', optimizer=optimizer))
    x = torch.randn(3, 4)
    with wrapper.optim_context(model):
        y = model(x)
    assert y.dtype == torch.bfloat16
    wrapper.update_params(y.float().sum())
    assert model.weight.dtype == torch.float32
    expected = before - 0.5 * x.sum(0)
    torch.testing.assert_close(model.weight.detach(), expected.expand(2, 4), rtol=0.02, atol=0.02)
