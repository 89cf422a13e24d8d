from copy import deepcopy
from io import BytesIO

import pytest
import torch
from torch import nn

from mmpretrain_inception.models import InceptionV3

pytestmark = pytest.mark.usefixtures('narrow')


def is_channels_last(tensor):
    # Slices of channels, as a concatenation's gradients are, are dense in no layout.
    return tensor.ndim != 4 or tensor.stride(1) == 1 or tensor.shape[1] == 1


@pytest.fixture
def other_layouts():
    """Collect the modules whose outputs, or the gradients of those, are not channels_last."""
    found = []

    def look(model):
        for name, module in list(model.named_modules())[1:]:
            module.register_forward_hook(lambda *call, name=name: look_at(call[-1], name))

    def look_at(output, name):
        for tensor in output if isinstance(output, (tuple, list)) else [output]:
            if not is_channels_last(tensor):
                found.append(name)
            if tensor.requires_grad:
                tensor.register_hook(
                    lambda grad: None if is_channels_last(grad) else found.append(f'gradient of {name}')
                )

    return look, found


@pytest.mark.parametrize('options', [{}, dict(deploy=True), dict(with_cp=True), dict(stem='7x7')], ids=str)
@pytest.mark.parametrize('amp', [False, True], ids=['fp32', 'bf16'])
def test_no_layer_falls_back_to_another_layout(make_classifier, labelled, other_layouts, options, amp):
    look, found = other_layouts
    model = make_classifier(backbone={'out_indices': (0, 1, 2, 3, 4), **options})
    look(model.backbone)
    images = torch.randn(2, 3, 107, 107)
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        with torch.no_grad():
            maps = model.eval().backbone(images)
        losses = model.train().loss(images, labelled(0, 1))
    (losses['loss'] + losses['loss_aux']).backward()
    # The last pool's gradient is the same for every pixel and has no layout; the block's last convolutions give it one.
    assert [name for name in found if not name.startswith('gradient of Mixed_7c')] == []
    assert all(map.is_contiguous(memory_format=torch.channels_last) for map in maps)
    kernels = [parameter for parameter in model.backbone.parameters() if parameter.ndim == 4]
    assert all(kernel.grad.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)


def test_the_check_would_see_another_layout(other_layouts):
    look, found = other_layouts
    model = nn.Sequential(nn.Conv2d(3, 4, 3))
    look(model)
    model(torch.randn(2, 3, 9, 9, requires_grad=True)).sum().backward()
    assert '0' in found


def test_the_layout_outlives_copies_and_files_and_changes_no_value(randomise):
    model = randomise(InceptionV3(out_indices=1))
    file = BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other = InceptionV3(out_indices=1)
    # A file in torch's usual layout.
    other.load_state_dict({name: tensor.contiguous() for name, tensor in saved.items()})
    for copy in (deepcopy(model), other):
        for name, tensor in copy.state_dict().items():
            assert torch.equal(tensor, model.state_dict()[name])
            assert is_channels_last(tensor)


def test_the_layout_changes_results_by_rounding_only(make_classifier, randomise):
    model = randomise(make_classifier()).double().eval()
    usual = deepcopy(model)
    for module in usual.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.contiguous_format)
    images = torch.randn(2, 3, 75, 75, dtype=torch.double)
    with torch.no_grad():
        torch.testing.assert_close(model(images, mode='tensor'), usual(images, mode='tensor'), rtol=1e-9, atol=1e-9)
    assert usual.backbone.Conv2d_1a_3x3.conv.weight.is_contiguous()
    assert not model.backbone.Conv2d_1a_3x3.conv.weight.is_contiguous()
