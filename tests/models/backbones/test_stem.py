import pytest
import torch
from torch import nn

from mmpretrain_inception import InceptionV3
from mmpretrain_inception.weights import load

ALL = (0, 1, 2, 3, 4)
# Side of the image, options, strides and sides of the maps, smallest side.
TABLE_2 = {
    '299': (299, {}, (2, 4, 8, 16, 32), (147, 71, 35, 17, 8), 75),
    '151': (151, dict(stem_stride=1), (1, 2, 4, 8, 16), (147, 71, 35, 17, 8), 39),
    '79': (79, dict(stem_stride=1, stem_pool=False, stem_pool2_padding=1), (1, 1, 2, 4, 8), (75, 73, 37, 18, 8), 19),
}
OTHERS = {
    '79 as written': (79, dict(stem_stride=1, stem_pool=False), (1, 1, 2, 4, 8), (75, 73, 36, 17, 8), 21),
    '7x7': (299, dict(stem='7x7'), (2, 4, 8, 16, 32), (147, 71, 35, 17, 8), 75),
    '7x7, 151': (151, dict(stem='7x7', stem_stride=1), (1, 2, 4, 8, 16), (145, 70, 34, 16, 7), 41),
    '7x7, 79': (79, dict(stem='7x7', stem_stride=1, stem_pool=False), (1, 1, 2, 4, 8), (73, 71, 35, 17, 8), 23),
}
VARIANTS = TABLE_2 | OTHERS
each_variant = pytest.mark.parametrize(
    ('size', 'options', 'strides', 'grids', 'smallest'), VARIANTS.values(), ids=VARIANTS
)


@pytest.fixture
def make_backbone(randomise):
    return lambda **options: randomise(InceptionV3(**options)).eval()


def sides(backbone, height, width):
    with torch.no_grad():
        return [tuple(m.shape[2:]) for m in backbone(torch.zeros(1, 3, height, width))]


@each_variant
def test_variants_make_the_grids_and_strides_that_they_publish(size, options, strides, grids, smallest):
    backbone = InceptionV3(out_indices=ALL, **options).eval()
    assert tuple(stage.stride for stage in backbone.stages) == strides
    assert tuple(stage.channels for stage in backbone.stages) == (64, 192, 288, 768, 2048)
    assert sides(backbone, size, size) == [(side, side) for side in grids]
    wider = sides(backbone, size, size + strides[-1])
    assert [width - side for (_, width), side in zip(wider, grids)] == [strides[-1] // stride for stride in strides]


@each_variant
def test_smallest_image_leaves_one_pixel_and_a_smaller_one_nothing(size, options, strides, grids, smallest):
    backbone = InceptionV3(out_indices=ALL, **options).eval()
    assert backbone.min_size == smallest
    assert sides(backbone, smallest, smallest + 1)[-1] == (1, 1)
    with pytest.raises(ValueError, match=rf'at least {smallest} x {smallest} pixels, got {smallest} x {smallest - 1}'):
        backbone(torch.zeros(1, 3, smallest, smallest - 1))
    backbone.min_size = 0
    with pytest.raises(RuntimeError, match=r'[Oo]utput size|Kernel size'):
        backbone(torch.zeros(1, 3, smallest, smallest - 1))


def test_the_class_publishes_the_published_network():
    assert InceptionV3.stages == InceptionV3().stages
    assert InceptionV3.min_size == 75
    InceptionV3(stem='7x7', stem_stride=1)
    assert InceptionV3.stages[0].name == 'Conv2d_2b_3x3'


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(stem='5x5'), r"stem: expected '3x3' or '7x7', got '5x5'"),
        (dict(stem_stride=3), r'stem_stride: expected 1 or 2, got 3'),
        (dict(stem_pool='max'), r"stem_pool: expected True or False, got 'max'"),
        (dict(stem_pool2_padding=2), r'stem_pool2_padding: expected 0 or 1, got 2'),
    ],
)
def test_a_stem_that_does_not_exist_is_refused(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        InceptionV3(**options)
    assert str(caught.value).count('\n') < 2


@pytest.mark.parametrize('options', [row[1] for row in TABLE_2.values()], ids=TABLE_2)
def test_table_2_keeps_every_parameter(options):
    published = InceptionV3().state_dict()
    variant = InceptionV3(**options).state_dict()
    assert [(name, tensor.shape) for name, tensor in variant.items()] == [
        (name, tensor.shape) for name, tensor in published.items()
    ]


def test_half_the_stride_on_half_the_image_computes_the_same(make_backbone):
    # A kernel that looks at one pixel sees every other pixel at stride 2, and at stride 1 all of those that are left.
    published, half = make_backbone(), InceptionV3(stem_stride=1).eval()
    half.load_state_dict(published.state_dict())
    with torch.no_grad():
        for backbone in (published, half):
            backbone.Conv2d_1a_3x3.conv.weight[:, :, 1:] = 0
            backbone.Conv2d_1a_3x3.conv.weight[:, :, :, 1:] = 0
        images = torch.randn(2, 3, 75, 75)
        # The kernels reach over two more pixels at the end, which they leave out of account.
        thinned = nn.functional.pad(images[..., :73:2, :73:2], (0, 2, 0, 2))
        torch.testing.assert_close(half(thinned)[0], published(images)[0])


def test_without_the_first_pool_the_next_convolution_takes_the_stems_map(make_backbone):
    published = make_backbone(out_indices=(0, 1))
    bare = InceptionV3(out_indices=(0, 1), stem_pool=False).eval()
    bare.load_state_dict(published.state_dict())
    images = torch.randn(2, 3, 75, 75)
    with torch.no_grad():
        first, second = bare(images)
        assert torch.equal(first, published(images)[0])
        assert torch.equal(second, bare.Conv2d_4a_3x3(bare.Conv2d_3b_1x1(first)))


def test_padding_of_the_second_pool_adds_the_maxima_at_the_border(make_backbone):
    backbone = make_backbone(stem_pool2_padding=1)
    columns = torch.arange(7.0).expand(1, 192, 7, 7)
    assert backbone.maxpool2(columns)[0, 0, 0].tolist() == [1, 3, 5, 6]
    assert InceptionV3().maxpool2(columns)[0, 0, 0].tolist() == [2, 4, 6]


def test_inception_v2_begins_with_one_convolution_of_7x7():
    backbone, published = InceptionV3(stem='7x7'), InceptionV3()
    conv = backbone.Conv2d_1a_7x7.conv
    assert (conv.in_channels, conv.out_channels, conv.kernel_size, conv.padding) == (3, 64, (7, 7), (0, 0))
    first = backbone.stages[0].name
    assert first == 'Conv2d_1a_7x7'
    own = {name.split('.')[0] for name in backbone.state_dict()} - {
        name.split('.')[0] for name in published.state_dict()
    }
    assert own == {first}
    assert len(backbone.state_dict()) == len(published.state_dict()) - 2 * 6
    backbone.init_weights()
    assert conv.weight.std().item() == pytest.approx(0.8796 * 0.1, rel=0.05)
    assert conv.weight.abs().max() <= 0.2 * (1 + 1e-6)


@pytest.mark.parametrize('stage', [0, 1])
def test_stages_of_inception_v2_freeze(stage):
    backbone = InceptionV3(stem='7x7', out_indices=1, frozen_stages=stage)
    frozen = {name.split('.')[0] for name, p in backbone.named_parameters() if not p.requires_grad}
    assert frozen == {'Conv2d_1a_7x7', *(['Conv2d_3b_1x1', 'Conv2d_4a_3x3'] if stage else [])}


@each_variant
def test_every_parameter_gets_a_gradient(make_backbone, without_gradient, size, options, strides, grids, smallest):
    backbone = make_backbone(**options).train()
    backbone(torch.randn(2, 3, smallest, smallest))[0].square().sum().backward()
    assert without_gradient(backbone) == []


@pytest.mark.parametrize('options', [dict(stem='7x7'), TABLE_2['79'][1]], ids=['7x7', '79'])
def test_checkpoint_of_a_variant_is_loaded_whole(make_classifier, randomise, options):
    trained = randomise(make_classifier(backbone=options, head=dict(aux_fc_norm=False)))
    other = make_classifier(backbone=options, head=dict(aux_fc_norm=False))
    fit = load(trained.state_dict(), other)
    assert fit.left_at_init == ()
    other.load_state_dict(fit.state_dict)
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, trained.state_dict()[name]), name


def test_weights_with_another_stem_are_refused(make_classifier):
    with pytest.raises(ValueError, match=r'missing: backbone.Conv2d_1a_7x7.*not in the model: backbone.Conv2d_1a_3x3'):
        load(make_classifier().state_dict(), make_classifier(backbone=dict(stem='7x7')))


@pytest.mark.parametrize('channels', [1, 2, 4, 13])
@pytest.mark.parametrize('stem', ['3x3', '7x7'])
def test_images_of_other_channels(randomise, without_gradient, channels, stem):
    backbone = randomise(InceptionV3(out_indices=0, in_channels=channels, stem=stem)).double().eval()
    images = torch.randn(2, channels, 80, 75, dtype=torch.double)
    (found,) = backbone(images)
    assert next(backbone.parameters()).shape[1] == channels
    # Each channel counts.
    for channel in range(channels):
        changed = images.clone()
        changed[:, channel] += 1
        assert not torch.equal(backbone(changed)[0], found)
    backbone.train()(images)[0].square().mean().backward()
    assert without_gradient(backbone) == []


def test_folding_and_recomputing_work_with_other_channels(randomise):
    backbone = randomise(InceptionV3(out_indices=1, in_channels=4, with_cp=True)).double().eval()
    images = torch.randn(2, 4, 75, 75, dtype=torch.double)
    with torch.no_grad():
        expected = backbone(images)
        backbone.switch_to_deploy()
        torch.testing.assert_close(backbone(images), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize('channels', [0, -1, 3.0, '3', True, None])
def test_a_number_of_channels_that_cannot_be_is_refused(channels):
    with pytest.raises(ValueError, match='in_channels: expected a whole number from 1 on, got'):
        InceptionV3(in_channels=channels)
