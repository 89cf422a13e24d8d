import io
from pathlib import Path
from types import SimpleNamespace

import emulated_gpu
import numpy as np
import pytest
import torch
from emulated_gpu import NO_GPU, on_gpu
from mmengine.config import Config
from mmpretrain import FeatureExtractor, ImageClassificationInferencer, get_model, inference_model, list_models
from PIL import Image
from support import CONFIGS
from tiny_model import write_checkpoint

import mmpretrain_inception
from mmpretrain_inception.datasets import LoadImage, load_image
from mmpretrain_inception.errors import BrokenImageError, InputError
from mmpretrain_inception.weights.files import opener
from mmpretrain_inception.weights.published import find

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


def test_an_image_is_classified_from_its_file_as_from_its_pixels(pretrained, tmp_path):
    _, file = pretrained
    path = str(turned_jpeg(tmp_path))
    model = get_model(NAME, pretrained=file)
    scores = [inference_model(model, image)['pred_scores'] for image in (path, load_image(path))]
    np.testing.assert_array_equal(*scores)


def test_pretrained_weights_are_those_of_the_table(pretrained, monkeypatch):
    """mmpretrain takes the address from our model index; the file comes by our road."""
    _, file = pretrained
    asked = []
    monkeypatch.setattr(opener, 'download', lambda address, check: asked.append(address) or Path(file))
    model = get_model('inception-v3_timm-tf_in1k', pretrained=True)
    assert asked == [find('timm-tf').address]
    assert torch.equal(model.head.fc.bias, get_model(NAME, pretrained=file).head.fc.bias)


def test_the_model_of_mmpretrain_still_loads_its_own_names(tmp_path):
    theirs = get_model('inception-v3_3rdparty_8xb32_in1k')
    file = tmp_path / 'theirs.pth'
    torch.save({'state_dict': theirs.state_dict()}, file)
    loaded = get_model('inception-v3_3rdparty_8xb32_in1k', pretrained=str(file))
    torch.testing.assert_close(loaded.state_dict(), theirs.state_dict(), rtol=0, atol=0)


def turned_jpeg(folder):
    """A CMYK picture that EXIF turns by a quarter."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels, 'CMYK').save(folder / 'turned.jpg', exif=exif)
    return folder / 'turned.jpg'


def sixteen_bit_png(folder):
    levels = np.random.default_rng(0).integers(0, 65536, (40, 60), dtype=np.uint16)
    Image.fromarray(levels).save(folder / 'deep.png')
    return folder / 'deep.png'


def inferencer_of(kind, *steps):
    """An inferencer whose network is not asked."""
    inferencer = kind.__new__(kind)
    inferencer.model = torch.nn.Identity()
    pipeline = [*steps, dict(type='PackInputs')]
    cfg = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=SimpleNamespace(pipeline=pipeline)))
    inferencer.pipeline = inferencer._init_pipeline(cfg)
    return inferencer


@pytest.mark.parametrize('kind', [ImageClassificationInferencer, FeatureExtractor])
@pytest.mark.parametrize('write', [turned_jpeg, sixteen_bit_png])
@pytest.mark.parametrize('color_type', ['color', 'color_ignore_orientation'])
@pytest.mark.parametrize('backend', ['cv2', 'pillow'])
def test_inference_decodes_files_as_the_pipeline_does(tmp_path, kind, write, color_type, backend):
    path = write(tmp_path)
    settings = dict(color_type=color_type, imdecode_backend=backend)
    inferencer = inferencer_of(kind, dict(type='mmpretrain_inception.LoadImage', **settings))
    expected = LoadImage(**settings)(dict(img_path=str(path)))['img']
    for image in (str(path), path):
        (batch,) = inferencer.preprocess([image])
        np.testing.assert_array_equal(batch['inputs'][0].permute(1, 2, 0), expected)


@pytest.mark.parametrize('kind', [ImageClassificationInferencer, FeatureExtractor])
def test_arrays_come_through_inference_as_they_are(kind):
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    inferencer = inferencer_of(kind, dict(type='mmpretrain_inception.LoadImage'))
    batches = list(inferencer.preprocess([image] * 3, batch_size=2))
    assert [len(batch['inputs']) for batch in batches] == [2, 1]
    np.testing.assert_array_equal(batches[0]['inputs'][1].permute(1, 2, 0), image)


def test_inference_names_a_broken_file(tmp_path):
    content = io.BytesIO()
    Image.new('RGB', (99, 99)).save(content, 'JPEG')
    (tmp_path / 'cut.jpg').write_bytes(content.getvalue()[:-9])
    inferencer = inferencer_of(ImageClassificationInferencer, dict(type='mmpretrain_inception.LoadImage'))
    with pytest.raises(BrokenImageError, match=r'cut\.jpg: .*truncated'):
        list(inferencer.preprocess([str(tmp_path / 'cut.jpg')]))


def test_pipelines_of_others_load_as_they_did(tmp_path):
    path = turned_jpeg(tmp_path)
    inferencer = inferencer_of(ImageClassificationInferencer, dict(type='LoadImageFromFile'))
    (batch,) = inferencer.preprocess([str(path)])
    assert batch['inputs'].shape == (1, 3, 60, 40)


def scores(rank, device, file):
    if device == 'cuda':
        emulated_gpu.start()
    image = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    digits = str(CONFIGS / 'inception-v3_1xb64_digits-75px.py')
    inferencer = ImageClassificationInferencer(digits, pretrained=file, device=device)
    return inferencer(image)[0]['pred_scores'].tolist(), str(inferencer.model.head.fc.weight.device)


@NO_GPU
def test_a_model_whose_final_layer_is_random_does_not_answer(tmp_path):
    """mmpretrain's inferencer with the folder config and a checkpoint of one's own answered from noise."""
    file = write_checkpoint(tmp_path / 'own.pth')
    cfg = Config.fromfile(CONFIGS / 'inception-v3_1xb32_folder.py')
    with pytest.raises(InputError, match=r'does not fill the model; of another shape: head\.fc\.weight'):
        ImageClassificationInferencer(cfg, pretrained=str(file))
    cfg.model.init_cfg = dict(type='Pretrained', checkpoint=str(file))
    model = get_model(cfg)
    model.init_weights()
    inferencer = ImageClassificationInferencer(model)
    with pytest.raises(InputError, match=r'other classes than the model, so that head\.fc\.weight is random'):
        inferencer(np.zeros((80, 80, 3), np.uint8))
    assert FeatureExtractor(model)(np.zeros((80, 80, 3), np.uint8))
    with torch.no_grad():
        model.head.fc.weight.add_(1)
        model.head.fc.bias.add_(1)
    model._dataset_meta = dict(classes=range(1000))
    assert len(inferencer(np.zeros((80, 80, 3), np.uint8))[0]['pred_scores']) == 1000


@pytest.mark.slow
def test_an_image_is_classified_on_a_gpu_as_on_a_cpu(tmp_path, make_classifier, randomise):
    torch.save(randomise(make_classifier()).state_dict(), tmp_path / 'a.pth')
    on_cpu, here = on_gpu(tmp_path, scores, 'cpu', str(tmp_path / 'a.pth'))
    found, there = on_gpu(tmp_path, scores, 'cuda', str(tmp_path / 'a.pth'))
    assert (here, there) == ('cpu', 'cuda:0')
    np.testing.assert_allclose(found, on_cpu, rtol=1e-4)
    assert np.ptp(found) > 1e-3
