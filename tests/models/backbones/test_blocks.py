import pytest
import torch
from torch import nn
from torch.nn import functional

from mmpretrain_inception import InceptionV3
from mmpretrain_inception.models.backbones.blocks import PooledConv2d, average_pool
from mmpretrain_inception.models.heads.inception_head import InceptionAux

POOLED_BLOCKS = [
    'Mixed_5b', 'Mixed_5c', 'Mixed_5d', 'Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e', 'Mixed_7b', 'Mixed_7c',
]  # fmt: skip
GRID = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])
SUMS = torch.tensor([[12.0, 21.0, 16.0], [27.0, 45.0, 33.0], [24.0, 39.0, 28.0]])
REAL_PIXELS = torch.tensor([[4.0, 6.0, 4.0], [6.0, 9.0, 6.0], [4.0, 6.0, 4.0]])


@pytest.fixture(scope='module')
def backbones():
    return {counted: InceptionV3(count_include_pad=counted).eval() for counted in (True, False)}


@pytest.fixture(scope='module')
def aux(randomise):
    return randomise(InceptionAux(6, num_classes=3).double()).eval()


@pytest.mark.parametrize('name', POOLED_BLOCKS)
@pytest.mark.parametrize(
    ('counted', 'expected'), [(True, SUMS / 9), (False, SUMS / REAL_PIXELS)], ids=['zeros', 'pixels']
)
def test_average_pool_divides_by(backbones, name, counted, expected):
    block = getattr(backbones[counted], name)
    pooled = []
    handle = block.branch_pool.conv.register_forward_pre_hook(lambda _, args: pooled.append(args[0]))
    in_channels = block.branch_pool.conv.in_channels
    with torch.no_grad():
        block(GRID.expand(1, in_channels, 3, 3))
    handle.remove()
    torch.testing.assert_close(pooled[0], expected.expand(1, in_channels, 3, 3))


@pytest.mark.parametrize(
    ('pool', 'norm'), [(average_pool(True), 'BN'), (average_pool(False), 'BN'), (average_pool(True), None),
                       (nn.MaxPool2d(3, 1, 1), 'BN')], ids=['zeros', 'pixels', 'bias', 'maximum'],
)  # fmt: skip
def test_in_training_the_pool_commutes_with_the_kernel_or_comes_first(randomise, pool, norm):
    branch = randomise(PooledConv2d(6, 4, pool, norm and dict(type=norm)).double()).train()
    maps, weights = torch.randn(2, 6, 5, 7, dtype=torch.double), torch.randn(2, 4, 5, 7, dtype=torch.double)
    expected = branch.relu(branch.bn(branch.conv(pool(maps))))
    computed = branch(maps)
    torch.testing.assert_close(computed, expected, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad((y * weights).sum(), branch.conv.parameters()) for y in (computed, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-10, atol=1e-10)


def test_in_training_averages_are_of_the_fewer_channels():
    branch, averaged = PooledConv2d(6, 4, average_pool(True)).train(), []
    branch.pool.register_forward_pre_hook(lambda _, args: averaged.append(args[0].shape[1]))
    branch(torch.randn(2, 6, 5, 5))
    branch.eval()(torch.randn(2, 6, 5, 5))
    assert averaged == [4, 6]


def cropped(kernel, height, width):
    """Cut the middle of ``kernel``, nearer to the top left where the margin is odd."""
    top, left = (kernel.shape[-2] - height) // 2, (kernel.shape[-1] - width) // 2
    return kernel[..., top : top + height, left : left + width]


# The side of the map for each side behind the 5x5 average pool of stride 3.
SIDES = [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (8, 2), (11, 3), (14, 4), (17, 5)]


@pytest.mark.parametrize(('height', 'kernel_height'), SIDES)
@pytest.mark.parametrize(('width', 'kernel_width'), SIDES)
def test_auxiliary_kernel_shrinks_with_the_map(aux, height, kernel_height, width, kernel_width):
    x = torch.rand(2, 6, height, width, dtype=torch.float64)
    pooled = functional.avg_pool2d(x, (min(height, 5), min(width, 5)), stride=3)
    assert pooled.shape[-2:] == (kernel_height, kernel_width)
    kernel = cropped(aux.conv1.conv.weight, kernel_height, kernel_width)
    convolved = functional.conv2d(aux.conv0(pooled), kernel)
    assert convolved.shape[-2:] == (1, 1)
    expected = aux.fc(functional.relu(aux.conv1.bn(convolved)).flatten(1))
    torch.testing.assert_close(aux(x), expected, rtol=1e-12, atol=1e-12)


def test_auxiliary_classifier_averages_what_a_larger_map_leaves(aux):
    x = torch.rand(2, 6, 23, 20, dtype=torch.float64)
    maps = aux.conv1(aux.conv0(functional.avg_pool2d(x, 5, stride=3)))
    assert maps.shape[-2:] == (3, 2)
    torch.testing.assert_close(aux(x), aux.fc(maps.mean(dim=(2, 3))), rtol=1e-12, atol=1e-12)
