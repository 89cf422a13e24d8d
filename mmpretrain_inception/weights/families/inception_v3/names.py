"""The names of Inception V3's parameters, as data.

``CONVOLUTIONS`` lists the 94 units of convolution and batch norm in the order in which torchvision, Keras and this
package construct them. Keras numbers its layers in that order (``conv2d``, ``conv2d_1``, ...), so its names only give a
position in this tuple.
"""

from __future__ import annotations

STEM = ('Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3', 'Conv2d_3b_1x1', 'Conv2d_4a_3x3')

BLOCKS: dict[str, str] = {
    'Mixed_5b': 'A',
    'Mixed_5c': 'A',
    'Mixed_5d': 'A',
    'Mixed_6a': 'B',
    'Mixed_6b': 'C',
    'Mixed_6c': 'C',
    'Mixed_6d': 'C',
    'Mixed_6e': 'C',
    'Mixed_7a': 'D',
    'Mixed_7b': 'E',
    'Mixed_7c': 'E',
}

BRANCHES: dict[str, tuple[str, ...]] = {
    'A': (
        'branch1x1',
        *('branch5x5_1', 'branch5x5_2'),
        *('branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'),
        'branch_pool',
    ),
    'B': ('branch3x3', 'branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3'),
    'C': (
        'branch1x1',
        *('branch7x7_1', 'branch7x7_2', 'branch7x7_3'),
        *('branch7x7dbl_1', 'branch7x7dbl_2', 'branch7x7dbl_3', 'branch7x7dbl_4', 'branch7x7dbl_5'),
        'branch_pool',
    ),
    'D': (
        *('branch3x3_1', 'branch3x3_2'),
        *('branch7x7x3_1', 'branch7x7x3_2', 'branch7x7x3_3', 'branch7x7x3_4'),
    ),
    'E': (
        'branch1x1',
        *('branch3x3_1', 'branch3x3_2a', 'branch3x3_2b'),
        *('branch3x3dbl_1', 'branch3x3dbl_2', 'branch3x3dbl_3a', 'branch3x3dbl_3b'),
        'branch_pool',
    ),
}

CONVOLUTIONS = (*STEM, *(f'{block}.{branch}' for block, kind in BLOCKS.items() for branch in BRANCHES[kind]))

# Keras 3 numbers the layers inside `.weights.h5` and `.keras` by their depth in the graph. This is the order of the
# convolutions of each kind of block there, as positions in BRANCHES; it is the same in Keras 3.0.5, 3.3.3 and 3.15.1.
DEPTH_ORDER: dict[str, tuple[int, ...]] = {
    'A': (3, 1, 4, 0, 2, 5, 6),
    'B': (1, 2, 0, 3),
    'C': (4, 5, 1, 6, 2, 7, 0, 3, 8, 9),
    'D': (2, 3, 0, 4, 1, 5),
    'E': (4, 1, 5, 2, 3, 6, 7, 0, 8),
}

UNIT = ('conv.weight', 'bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var', 'bn.num_batches_tracked')
LINEAR = ('weight', 'bias')
AUX = (*(f'conv0.{name}' for name in UNIT), *(f'conv1.{name}' for name in UNIT), *(f'fc.{name}' for name in LINEAR))

FINAL_LAYERS = ('head.fc.', 'head.AuxLogits.fc.')
AUX_PREFIX = 'head.AuxLogits.'
# torchvision and timm construct the auxiliary classifier where they call it, before these layers.
AFTER_AUX = ('backbone.Mixed_7', 'head.fc.')

# Our state dict, in its order.
OURS = (
    *(f'backbone.{convolution}.{name}' for convolution in CONVOLUTIONS for name in UNIT),
    *(f'head.fc.{name}' for name in LINEAR),
    *(f'{AUX_PREFIX}{name}' for name in AUX),
)

# Further names, from options of the network: the 7x7 stem, an auxiliary classifier without batch norm in its last
# convolution, and the biases of the deploy form.
_STEM_7X7 = 'Conv2d_1a_7x7'
VARIANTS = (
    *(f'backbone.{_STEM_7X7}.{name}' for name in UNIT),
    f'{AUX_PREFIX}conv1.conv.bias',
    *(f'backbone.{convolution}.conv.bias' for convolution in (_STEM_7X7, *CONVOLUTIONS)),
)

# All layers of the backbone, in call order; a model has one of the two stems.
LAYERS = (_STEM_7X7, *STEM, *BLOCKS)

# Kernel of the first layer; its second axis is the channels of the image.
INPUT_KERNELS = (f'backbone.{STEM[0]}.conv.weight', f'backbone.{_STEM_7X7}.conv.weight')


def keras_depth_order() -> tuple[int, ...]:
    """Return, for each convolution in the order of a Keras 3 file, its position in ``CONVOLUTIONS``."""
    order = list(range(len(STEM)))
    for kind in BLOCKS.values():
        start = len(order)
        order += [start + position for position in DEPTH_ORDER[kind]]
    return tuple(order)
