import pytest
import torch
from mmengine.model import revert_sync_batchnorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmpretrain_inception import InceptionV3

LAYERS = [
    ['Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3'],
    ['Conv2d_3b_1x1', 'Conv2d_4a_3x3'],
    ['Mixed_5b', 'Mixed_5c', 'Mixed_5d'],
    ['Mixed_6a', 'Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e'],
    ['Mixed_7a', 'Mixed_7b', 'Mixed_7c'],
]
STAGES = range(len(LAYERS))


def layers_up_to(stage):
    return {name for layers in LAYERS[: stage + 1] for name in layers}


def layer_of(parameter_name):
    return parameter_name.split('.')[0]


def statistics(model):
    return {name: buffer.clone() for name, buffer in model.named_buffers()}


def changed_layers(before, model):
    return {layer_of(name) for name, buffer in model.named_buffers() if not torch.equal(before[name], buffer)}


def weighted_sum(maps):
    # The mean after a batch norm hardly depends on the weights before it; products with fixed noise do.
    generator = torch.Generator().manual_seed(1)
    return sum((m * torch.randn(m.shape, generator=generator).to(m)).mean() for m in maps)


@pytest.fixture(scope='module')
def full(randomise):
    torch.manual_seed(0)
    return randomise(InceptionV3(out_indices=tuple(STAGES))).eval()


@pytest.fixture(scope='module')
def images():
    return torch.randn(2, 3, 75, 75, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope='module')
def maps(full, images):
    with torch.no_grad():
        return full(images)


def test_every_stage_has_its_published_channels_and_stride(full):
    with torch.no_grad():
        at_299, a_period_wider = full(torch.zeros(1, 3, 299, 299)), full(torch.zeros(1, 3, 299, 299 + 32))
    assert [m.shape[1] for m in at_299] == [stage.channels for stage in InceptionV3.stages]
    assert [tuple(m.shape[2:]) for m in at_299] == [(side, side) for side in (147, 71, 35, 17, 8)]
    growth = [wide.shape[3] - m.shape[3] for m, wide in zip(at_299, a_period_wider)]
    assert growth == [32 // stage.stride for stage in InceptionV3.stages]


def test_published_names_are_the_layers_whose_outputs_come_out(full, images):
    seen = []
    handles = [
        getattr(full, stage.name).register_forward_hook(lambda *args: seen.append(args[-1]))
        for stage in InceptionV3.stages
    ]
    with torch.no_grad():
        maps = full(images)
    for handle in handles:
        handle.remove()
    assert len(maps) == len(seen) == len(STAGES)
    assert all(ours is output for ours, output in zip(maps, seen))


@pytest.mark.parametrize(
    ('out_indices', 'stages'),
    [
        (0, [0]), (1, [1]), (2, [2]), (3, [3]), (4, [4]),
        (-5, [0]), (-4, [1]), (-3, [2]), (-2, [3]), (-1, [4]),
        ((4,), [4]), ([-1], [4]), ((0, 1), [0, 1]), ((3, 4), [3, 4]), ((-2, -1), [3, 4]), ((1, 2, 3, 4), [1, 2, 3, 4]),
        ((4, 0), [0, 4]), ((2, -3), [2]),
    ],
)  # fmt: skip
def test_out_indices_choose_maps_and_what_is_built(full, maps, images, out_indices, stages):
    backbone = InceptionV3(out_indices=out_indices).eval()
    assert {layer_of(name) for name in backbone.state_dict()} == layers_up_to(stages[-1])
    state = full.state_dict()
    backbone.load_state_dict({name: state[name] for name in backbone.state_dict()})
    with torch.no_grad():
        result = backbone(images)
    assert isinstance(result, tuple)
    assert len(result) == len(stages)
    for ours, stage in zip(result, stages):
        assert torch.equal(ours, maps[stage])


def test_last_map_alone_is_the_default(images, full, maps):
    backbone = InceptionV3().eval()
    backbone.load_state_dict(full.state_dict())
    with torch.no_grad():
        (last,) = backbone(images)
    assert torch.equal(last, maps[-1])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(out_indices=5), r'0 Conv2d_2b_3x3.*4 Mixed_7c.*got 5'),
        (dict(out_indices=(0, -6)), r'got -6'),
        (dict(out_indices=()), r'expected at least one stage, got none'),
        (dict(frozen_stages=5), r'-1 \(none\) to 4, got 5'),
        (dict(frozen_stages=-2), r'got -2'),
        (dict(frozen_stages='2'), r"expected -1 \(none\) to 4, got '2'"),
        (dict(frozen_stages=None), r'got None'),
        (dict(out_indices='34'), r"got '3'"),
        (dict(out_indices=(3.0,)), r'got 3\.0'),
        (dict(out_indices=None), r'got None'),
    ],
)
def test_a_stage_that_does_not_exist_is_refused(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        InceptionV3(**options)
    assert str(caught.value).count('\n') < 2


@pytest.mark.parametrize('out_indices', [(0, 1), (2,), (1, 2, 3, 4)])
def test_every_built_parameter_gets_a_gradient(randomise, images, without_gradient, out_indices):
    backbone = randomise(InceptionV3(out_indices=out_indices))
    weighted_sum(backbone(images)).backward()
    assert without_gradient(backbone) == []


@pytest.mark.parametrize('stage', [-1, *STAGES])
def test_frozen_stages_keep_parameters_and_statistics(images, stage):
    backbone = InceptionV3(out_indices=tuple(STAGES), frozen_stages=stage)
    frozen, trained = layers_up_to(stage), layers_up_to(4) - layers_up_to(stage)
    # Built frozen, before anybody calls train().
    assert {layer_of(n) for n, p in backbone.named_parameters() if not p.requires_grad} == frozen
    assert {layer_of(n) for n, p in backbone.named_parameters() if p.requires_grad} == trained

    backbone.eval().train()
    before = statistics(backbone)
    maps = backbone(images)
    assert changed_layers(before, backbone) == trained
    assert {layer_of(n) for n, m in backbone.named_modules() if isinstance(m, _BatchNorm) and not m.training} == frozen
    if trained:
        weighted_sum(maps).backward()
    assert {layer_of(n) for n, p in backbone.named_parameters() if p.grad is not None} == trained


def test_freezing_beyond_the_last_built_stage_freezes_all_that_is_built():
    backbone = InceptionV3(out_indices=(0, 1), frozen_stages=4).train()
    assert [name for name, p in backbone.named_parameters() if p.requires_grad] == []


@pytest.mark.parametrize('frozen_stages', [-1, 2])
def test_norm_eval_keeps_statistics_and_trains_parameters(images, randomise, without_gradient, frozen_stages):
    backbone = randomise(InceptionV3(norm_eval=True, frozen_stages=frozen_stages)).train()
    before = statistics(backbone)
    (trained,) = backbone(images)
    assert changed_layers(before, backbone) == set()
    torch.testing.assert_close(trained, backbone.eval()(images)[0])
    weighted_sum([trained]).backward()
    assert {layer_of(name) for name in without_gradient(backbone)} == layers_up_to(frozen_stages)


@pytest.mark.parametrize('options', [{}, dict(frozen_stages=1), dict(norm_eval=True)])
def test_train_and_eval_return_the_backbone(options):
    backbone = InceptionV3(out_indices=2, **options)
    for call, training in [(backbone.train, True), (backbone.eval, False)]:
        assert call() is backbone
        assert backbone.training is training
        assert backbone.Mixed_5d.training is training


@pytest.fixture
def plain_and_checkpointed(randomise):
    def make(**options):
        options = {'out_indices': (3, 4), **options}
        plain = randomise(InceptionV3(**options).double())
        checkpointed = InceptionV3(with_cp=True, **options).double()
        checkpointed.load_state_dict(plain.state_dict())
        return plain, checkpointed

    return make


@pytest.mark.parametrize(
    'options',
    [
        {},
        dict(out_indices=(0, 1, 2)),
        dict(frozen_stages=1),
        dict(norm_eval=True),
        dict(norm_cfg=dict(type='BN', momentum=None)),
        dict(norm_cfg=dict(type='GN', num_groups=16)),
    ],
    ids=['plain', 'shallow', 'frozen', 'norm_eval', 'cumulative', 'group norm'],
)
def test_checkpointing_changes_no_result(plain_and_checkpointed, images, options):
    results = []
    for backbone in plain_and_checkpointed(**options):
        # The second step sees statistics that the first one has left behind.
        for _ in range(2):
            backbone.zero_grad()
            maps = backbone.train()(images.double())
            weighted_sum(maps).backward()
        gradients = {name: p.grad for name, p in backbone.named_parameters() if p.grad is not None}
        results.append((maps, gradients, statistics(backbone)))
    torch.testing.assert_close(*results, rtol=1e-12, atol=1e-12)


def count_calls(module):
    calls = []
    module.register_forward_pre_hook(lambda *_: calls.append(module.training))
    return calls


def test_checkpointing_computes_activations_again_in_training_only(images):
    backbone = InceptionV3(with_cp=True)
    calls = [count_calls(getattr(backbone, name)) for name in sorted(layers_up_to(4))]
    backbone.eval()(images)[0].sum().backward()
    assert all(layer_calls == [False] for layer_calls in calls)
    backbone.train()(images)[0].sum().backward()
    assert all(layer_calls == [False, True, True] for layer_calls in calls)
    assert all(m.track_running_stats for m in backbone.modules() if isinstance(m, _BatchNorm))


def test_sync_batch_norm_equals_batch_norm_once_reverted(images, maps, full):
    backbone = InceptionV3(out_indices=tuple(STAGES), norm_cfg=dict(type='SyncBN', eps=1e-3))
    norms = [m for m in backbone.modules() if isinstance(m, _BatchNorm)]
    assert len(norms) == 94
    assert all(isinstance(m, nn.SyncBatchNorm) for m in norms)
    backbone.load_state_dict(full.state_dict())
    reverted = revert_sync_batchnorm(backbone).eval()
    with torch.no_grad():
        torch.testing.assert_close(reverted(images), maps, rtol=0, atol=0)


def test_group_norm_trains(images, without_gradient):
    backbone = InceptionV3(norm_cfg=dict(type='GN', num_groups=16))
    assert sum(isinstance(m, nn.GroupNorm) for m in backbone.modules()) == 94
    assert not any(isinstance(m, _BatchNorm) for m in backbone.modules())
    weighted_sum(backbone(images)).backward()
    assert without_gradient(backbone) == []


@pytest.mark.parametrize('mode', ['train', 'eval'])
@pytest.mark.parametrize(('height', 'width'), [(74, 75), (75, 74), (74, 299), (1, 1)])
def test_images_below_75_pixels_are_refused(full, mode, height, width):
    backbone = InceptionV3(out_indices=0).train(mode == 'train')
    with pytest.raises(ValueError, match=rf'at least 75 x 75 pixels, got {height} x {width}') as caught:
        backbone(torch.zeros(2, 3, height, width))
    assert str(caught.value).count('\n') < 2


@pytest.mark.parametrize(
    ('options', 'shape', 'channels'),
    [
        ({}, (2, 1, 75, 75), 3),
        ({}, (2, 4, 75, 75), 3),
        (dict(in_channels=1), (2, 3, 75, 75), 1),
        (dict(stem='7x7', in_channels=4), (2, 3, 75, 75), 4),
        ({}, (2, 75, 75, 3), 3),
        ({}, (3, 75, 75), 3),
        ({}, (75, 75), 3),
    ],
)
def test_images_of_another_shape_are_refused(options, shape, channels):
    backbone = InceptionV3(out_indices=0, **options)
    message = rf'expected images of shape \(N, {channels}, H, W\), got \({", ".join(map(str, shape))}\)$'
    with pytest.raises(ValueError, match=message):
        backbone(torch.zeros(shape))


def test_a_first_layer_that_was_exchanged_says_how_many_channels_there_are():
    backbone = InceptionV3(out_indices=0).eval()
    backbone.Conv2d_1a_3x3.conv = nn.Conv2d(5, 32, 3, stride=2, bias=False)
    assert backbone(torch.zeros(1, 5, 75, 75))[0].shape == (1, 64, 35, 35)


@pytest.mark.parametrize(
    ('height', 'width', 'expected'),
    [
        (75, 75, [(35, 35), (15, 15), (7, 7), (3, 3), (1, 1)]),
        (75, 120, [(35, 57), (15, 26), (7, 12), (3, 5), (1, 2)]),
        (139, 75, [(67, 35), (31, 15), (15, 7), (7, 3), (3, 1)]),
    ],
)
def test_small_and_oblong_images_run(full, height, width, expected):
    # An unpadded kernel or pool of 3 maps n to (n - 3) // stride + 1.
    with torch.no_grad():
        maps = full(torch.randn(1, 3, height, width))
    assert [tuple(m.shape[2:]) for m in maps] == expected
    assert all(m.isfinite().all() for m in maps)


@pytest.fixture(scope='module')
def initialised():
    torch.manual_seed(0)
    backbone = InceptionV3()
    backbone.init_weights()
    return backbone


def test_convolutions_start_from_a_normal_distribution_truncated_at_two_deviations(initialised):
    # The deviation of a unit normal distribution that is cut at -2 and 2.
    deviation = 0.1 * 0.8796
    kernels = {name: m.weight for name, m in initialised.named_modules() if isinstance(m, nn.Conv2d)}
    assert len(kernels) == 94
    # The smallest kernel has 864 weights, hence a sample deviation good to 2 %.
    unlike = {n: k for n, k in kernels.items() if k.abs().max() > 0.2 or abs(k.std() / deviation - 1) > 0.1}
    assert unlike == {}
    together = torch.cat([kernel.flatten() for kernel in kernels.values()])
    assert together.std().item() == pytest.approx(deviation, rel=1e-3)
    assert together.mean().item() == pytest.approx(0, abs=1e-4)
    assert together.abs().max() > 0.1999


def test_batch_norms_start_as_the_identity(initialised):
    norms = [m for m in initialised.modules() if isinstance(m, _BatchNorm)]
    assert all((m.weight == 1).all() and not m.bias.any() and m.eps == 1e-3 for m in norms)
