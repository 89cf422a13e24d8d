import numpy as np
import pytest
import torch
from mmpretrain import FeatureExtractor, get_model, inference_model, list_models

import mmpretrain_inception

NAME = 'inception-v3_8xb32_in1k'


@pytest.fixture(scope='module')
def pretrained(tmp_path_factory):
    """A file of torchvision's with random weights, and torchvision's model."""
    from torchvision.models import inception_v3

    torch.manual_seed(0)
    model = inception_v3(weights=None, init_weights=False, aux_logits=True).eval()
    file = tmp_path_factory.mktemp('weights') / 'torchvision.pth'
    torch.save(model.state_dict(), file)
    return model, str(file)


def test_our_models_are_listed_beside_those_of_mmpretrain():
    names = list_models('inception')
    assert NAME in names
    assert 'inception-v3_3rdparty_8xb32_in1k' in names


def test_a_model_by_name_takes_the_file_of_a_publisher(pretrained):
    theirs, file = pretrained
    ours = get_model(NAME, pretrained=file)
    assert isinstance(ours.backbone, mmpretrain_inception.InceptionV3)
    images = torch.randn(2, 3, 299, 299)
    torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)


def test_an_image_is_classified_and_its_features_extracted_by_name(pretrained):
    _, file = pretrained
    image = np.random.default_rng(0).integers(0, 256, (320, 400, 3), dtype=np.uint8)
    result = inference_model(get_model(NAME, pretrained=file), image)
    assert result['pred_scores'].shape == (1000,)
    assert isinstance(result['pred_class'], str)
    (features,) = FeatureExtractor(get_model(NAME, pretrained=file))(image)[0]
    assert features.shape == (2048,)


def test_the_model_of_mmpretrain_still_loads_its_own_names(tmp_path):
    theirs = get_model('inception-v3_3rdparty_8xb32_in1k')
    file = tmp_path / 'theirs.pth'
    torch.save({'state_dict': theirs.state_dict()}, file)
    loaded = get_model('inception-v3_3rdparty_8xb32_in1k', pretrained=str(file))
    torch.testing.assert_close(loaded.state_dict(), theirs.state_dict(), rtol=0, atol=0)
