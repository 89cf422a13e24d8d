import pytest
from mmengine.optim import build_optim_wrapper

from mmpretrain_inception import InceptionV3

# First layers up to a pool, then blocks.
GROUPS = [
    *[('Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3'), ('Conv2d_3b_1x1', 'Conv2d_4a_3x3')],
    *[('Mixed_5b',), ('Mixed_5c',), ('Mixed_5d',), ('Mixed_6a',), ('Mixed_6b',), ('Mixed_6c',), ('Mixed_6d',)],
    *[('Mixed_6e',), ('Mixed_7a',), ('Mixed_7b',), ('Mixed_7c',)],
]


def test_depths_are_those_of_timm():
    timm = pytest.importorskip('timm')
    model = timm.create_model('inception_v3', pretrained=False, aux_logits=False)
    theirs = timm.models.group_parameters(model, model.group_matcher())
    backbone = InceptionV3()
    for depth, names in theirs.items():
        for name in names:
            assert backbone.get_layer_depth(name) == (depth, 14), name


@pytest.mark.parametrize(
    ('options', 'groups'),
    [
        ({}, GROUPS),
        (dict(out_indices=(0, 2)), GROUPS[:5]),
        (dict(stem='7x7'), [('Conv2d_1a_7x7',), *GROUPS[1:]]),
        (dict(stem_pool=False, out_indices=1), GROUPS[:2]),
    ],
)
def test_every_parameter_has_the_depth_of_its_group_and_the_head_the_last(options, groups):
    backbone = InceptionV3(**options)
    depths = {name: depth for depth, names in enumerate(groups) for name in names}
    for name, _ in backbone.named_parameters():
        expected = depths[name.partition('.')[0]], len(groups) + 1
        assert backbone.get_layer_depth(name) == expected
        assert backbone.get_layer_depth(f'backbone.{name}', 'backbone.') == expected
    for other in ('head.fc.weight', 'neck.gain', 'head.AuxLogits.conv0.conv.weight'):
        assert backbone.get_layer_depth(other, 'backbone.') == (len(groups), len(groups) + 1)


def test_mmpretrains_constructor_gives_each_depth_its_learning_rate(make_classifier):
    model = make_classifier()
    optimizer = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.05),
            constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor',
            paramwise_cfg=dict(layer_decay_rate=0.5, norm_decay_mult=0.0),
        ),
    ).optimizer
    groups = {group['param_name']: group for group in optimizer.param_groups}
    assert set(groups) == {name for name, _ in model.named_parameters()}
    for name, factor in (
        ('head.fc.bias', 1),
        ('head.AuxLogits.conv1.conv.weight', 1),
        ('backbone.Mixed_7c.branch1x1.conv.weight', 2**-1),
        ('backbone.Mixed_5b.branch_pool.bn.bias', 2**-11),
        ('backbone.Conv2d_3b_1x1.conv.weight', 2**-12),
        ('backbone.Conv2d_1a_3x3.conv.weight', 2**-13),
    ):
        assert groups[name]['lr'] == pytest.approx(0.1 * factor)
        assert groups[name]['weight_decay'] == (0 if '.bn.' in name else 0.05)


def test_frozen_stages_are_left_out_of_the_optimizer(make_classifier):
    model = make_classifier(backbone=dict(frozen_stages=1))
    optimizer = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='SGD', lr=0.1, weight_decay=0.0),
            constructor='mmpretrain.LearningRateDecayOptimWrapperConstructor',
            paramwise_cfg=dict(layer_decay_rate=0.5),
        ),
    ).optimizer
    assert max(group['lr'] for group in optimizer.param_groups) == 0.1
    assert min(group['lr'] for group in optimizer.param_groups) == pytest.approx(0.1 * 2**-11)
    assert all(parameter.requires_grad for group in optimizer.param_groups for parameter in group['params'])
