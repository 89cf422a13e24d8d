"""How publishers name the parameters of Inception V3, as tables of prefixes."""

from __future__ import annotations

from mmpretrain_inception.weights.families.family import Scheme
from mmpretrain_inception.weights.families.inception_v3.names import AUX_PREFIX, CONVOLUTIONS, keras_depth_order

_CLASSIFIERS = (('fc.', 'head.fc.'), ('AuxLogits.', AUX_PREFIX))

# pytorch-fid groups the layers in sequences, in which pools count as positions.
_FID_BLOCKS = (
    ('Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3'),
    ('Conv2d_3b_1x1', 'Conv2d_4a_3x3'),
    ('Mixed_5b', 'Mixed_5c', 'Mixed_5d', 'Mixed_6a', 'Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e'),
    ('Mixed_7a', 'Mixed_7b', 'Mixed_7c'),
)

_KERAS_PARTS = (
    ('conv2d', 'kernel', 'conv.weight'),
    ('batch_normalization', 'gamma', 'bn.weight'),
    ('batch_normalization', 'beta', 'bn.bias'),
    ('batch_normalization', 'moving_mean', 'bn.running_mean'),
    ('batch_normalization', 'moving_variance', 'bn.running_var'),
)
# A file numbers the layers in the order of construction, or by their depth in the graph.
_KERAS_PLACES = (
    *((f'{position}', name) for position, name in enumerate(CONVOLUTIONS)),
    *((f'depth.{depth}', CONVOLUTIONS[position]) for depth, position in enumerate(keras_depth_order())),
)

# If two schemes explain a file equally well, the first one is used.
SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme('ours', (('', ''),)),
        Scheme('backbone', (('', 'backbone.'),)),
        Scheme('torchvision', (*_CLASSIFIERS, ('', 'backbone.'))),
        Scheme(
            'mmpretrain',
            (('backbone.fc.', 'head.fc.'), ('backbone.AuxLogits.', AUX_PREFIX), ('backbone.', 'backbone.')),
        ),
        Scheme(
            'pytorch-fid',
            tuple(
                (f'blocks.{block}.{position}.', f'backbone.{layer}.')
                for block, layers in enumerate(_FID_BLOCKS)
                for position, layer in enumerate(layers)
            ),
        ),
        Scheme(
            'keras',
            (
                *(
                    (f'{kind}.{place}.{part}', f'backbone.{convolution}.{ours}')
                    for kind, part, ours in _KERAS_PARTS
                    for place, convolution in _KERAS_PLACES
                ),
                *((f'dense.{place}.kernel', 'head.fc.weight') for place in ('0', 'depth.0')),
                *((f'dense.{place}.bias', 'head.fc.bias') for place in ('0', 'depth.0')),
            ),
            classifier='',
        ),
    )
}
