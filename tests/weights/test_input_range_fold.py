import pytest
import torch
from torchvision.models import inception_v3

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import fold_input_range, load, to_ours

FIRST = ('backbone.Conv2d_1a_3x3.conv.weight', 'backbone.Conv2d_1a_3x3.bn.running_mean')


@torch.no_grad()
def relative_difference(theirs, ours):
    return ((theirs - ours).abs().max() / theirs.abs().max()).item()


@pytest.mark.slow
@pytest.mark.parametrize('size', [(75, 75), (80, 97), (299, 299)])
def test_folded_weights_give_the_logits_of_torchvision_with_transform_input(torchvision_model, make_classifier, size):
    state = torchvision_model.state_dict()
    peer = inception_v3(init_weights=False, transform_input=True).double().eval()
    peer.load_state_dict(state)
    folded = fold_input_range(to_ours(peer.state_dict()).tensors)
    ours = make_classifier().double()
    ours.load_state_dict(load(folded, ours).state_dict)
    images = torch.randn(2, 3, *size, dtype=torch.float64)

    with torch.no_grad():
        theirs, first = peer(images), peer.Conv2d_1a_3x3(peer._transform_input(images))
        actual, actual_first = ours(images, mode='tensor'), ours.backbone.Conv2d_1a_3x3(images)

    assert relative_difference(theirs, actual) <= 1e-10
    # The maps of the first layer show every pixel, those at the border too.
    assert relative_difference(first, actual_first) <= 1e-12


def test_fold_changes_the_first_kernel_and_mean_only_and_keeps_their_type(published):
    tensors = to_ours(published).tensors

    folded = fold_input_range(tensors)

    assert list(folded) == list(tensors)
    assert tuple(name for name in tensors if folded[name] is not tensors[name]) == FIRST
    assert all(folded[name].dtype == torch.float32 for name in FIRST)
    # (0.229, 0.224, 0.225) / 0.5
    ratio = (folded[FIRST[0]] / tensors[FIRST[0]]).mean(dim=(0, 2, 3))
    assert ratio == pytest.approx([0.458, 0.448, 0.45])


def test_fold_without_the_first_layer_is_refused():
    with pytest.raises(InputError, match=r'expected a parameter backbone\.Conv2d_1a_3x3\.conv\.weight, got none'):
        fold_input_range({})
