import pytest
import torch


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope='session')
def without_gradient():
    """Name the parameters that the last backward pass did not reach."""
    return lambda model: [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
