"""What each config's pipeline and preprocessor make of ten JPEG files against the publisher's own code.

A model sees values around [-1, 1], in which one of 256 levels of grey is 0.0078. The bounds are those of the table in
configs/inception_v3/README.md.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine import load
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmpretrain import FeatureExtractor
from mmpretrain.registry import MODELS, TRANSFORMS
from PIL import Image
from support import CONFIGS
from torchvision.models import Inception_V3_Weights, inception_v3

ROUNDING = 1e-6

# From a file: the picture of scikit-image, the columns and rows to keep, the mode, and Pillow's settings to save it.
WRITTEN = {
    'dense-chroma': ('chelsea.png', (451, 300), 'RGB', dict(quality=95, subsampling=0)),
    'portrait': ('astronaut.png', (301, 512), 'RGB', dict(quality=90)),
    'small': ('coffee.png', (233, 157), 'RGB', dict(quality=60, progressive=True)),
    'grey': ('camera.png', (512, 512), 'L', dict(quality=95)),
    'grey-wide': ('page.png', (384, 191), 'L', dict(quality=75)),
    'cmyk': ('motorcycle_left.png', (741, 500), 'CMYK', dict(quality=90)),
    'turned': ('color.png', (371, 340), 'RGB', dict(quality=85)),
}


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    """Ten JPEG files: three as scikit-image ships them, seven made from its pictures in other sizes and modes."""
    skimage = pytest.importorskip('skimage')
    pictures = Path(skimage.__file__).parent / 'data'
    folder = tmp_path_factory.mktemp('jpeg')
    for name, (source, (width, height), mode, settings) in WRITTEN.items():
        picture = Image.open(pictures / source).convert(mode).crop((0, 0, width, height))
        exif = Image.Exif()
        if name == 'turned':
            exif[0x0112] = 6  # a quarter turn, which no publisher heeds
        picture.save(folder / f'{name}.jpg', exif=exif, **settings)
    shipped = [pictures / f'{name}.jpg' for name in ('rocket', 'hubble_deep_field', 'retina')]
    return (*shipped, *sorted(folder.glob('*.jpg')))


def prepared(cfg, path):
    """Do what testing with ``cfg`` does to a file before the model."""
    results = dict(img_path=str(path))
    for transform in cfg.test_dataloader.dataset.pipeline:
        results = TRANSFORMS.build(transform)(results)
    preprocessor = MODELS.build(dict(type='ClsDataPreprocessor', **cfg.data_preprocessor))
    return preprocessor(default_collate([results]))['inputs'][0]


def pillow(path):
    return Image.open(path).convert('RGB')


def torchvision_tensor(path):
    model = inception_v3(init_weights=False, transform_input=True)
    return model._transform_input(Inception_V3_Weights.IMAGENET1K_V1.transforms()(pillow(path))[None])[0]


def timm_transform(tag):
    def tensor(path):
        timm = pytest.importorskip('timm')
        settings = timm.data.resolve_data_config(
            pretrained_cfg=timm.get_pretrained_cfg(f'inception_v3.{tag}').to_dict()
        )
        return timm.data.create_transform(**settings, is_training=False)(pillow(path))

    return tensor


def mmpretrain_tensor(path):
    import mmpretrain

    folder = Path(mmpretrain.__file__).parent / '.mim/configs/inception_v3'
    return prepared(Config.fromfile(folder / 'inception-v3_8xb32_in1k.py'), path)


def decode(path, **settings):
    tensorflow = pytest.importorskip('tensorflow')
    return tensorflow, tensorflow.io.decode_jpeg(path.read_bytes(), channels=3, **settings)


def keras_tensor(path, **settings):
    tensorflow, image = decode(path, **settings)
    keras = pytest.importorskip('keras')
    image = keras.applications.inception_v3.preprocess_input(tensorflow.image.resize(image, (299, 299)))
    return torch.from_numpy(image.numpy()).permute(2, 0, 1)


def slim_tensor(path, **settings):
    """The evaluation of TensorFlow's research/slim/preprocessing/inception_preprocessing.py, by the same operations."""
    tensorflow, image = decode(path, **settings)
    image = tensorflow.image.central_crop(tensorflow.image.convert_image_dtype(image, tensorflow.float32), 0.875)
    image = tensorflow.compat.v1.image.resize_bilinear(image[None], (299, 299), align_corners=False)
    image = (image[0] - 0.5) * 2.0
    return torch.from_numpy(image.numpy()).permute(2, 0, 1)


def torch_fidelity_tensor(path):
    interpolation = pytest.importorskip('torch_fidelity.interpolate_compat_tensorflow')
    pixels = torch.from_numpy(np.array(pillow(path))).permute(2, 0, 1)[None].float()
    resized = interpolation.interpolate_bilinear_2d_like_tensorflow1x(pixels, (299, 299), align_corners=False)
    return (resized[0] - 128) / 128


def pytorch_fid_tensor(path):
    """Let pytorch-fid's own network resize and scale, with a first block that returns its input."""
    inception = pytest.importorskip('pytorch_fid.inception')
    network = inception.InceptionV3.__new__(inception.InceptionV3)
    torch.nn.Module.__init__(network)
    network.resize_input = network.normalize_input = True
    network.blocks = torch.nn.ModuleList([torch.nn.Identity()])
    network.output_blocks, network.last_needed_block = [0], 0
    pixels = torch.from_numpy(np.array(pillow(path))).permute(2, 0, 1)[None].float() / 255
    return network(pixels)[0][0]


def accurate(function):
    """Let TensorFlow decode with the exact cosine transform that Pillow and OpenCV use."""
    return lambda path: function(path, dct_method='INTEGER_ACCURATE')


# Config, its publisher's code, the largest difference that is allowed.
SAME_PIXELS = {
    'torchvision_in1k': (torchvision_tensor, ROUNDING),
    'timm-tv_in1k': (timm_transform('tv_in1k'), ROUNDING),
    'timm-tf_in1k': (timm_transform('tf_in1k'), ROUNDING),
    'timm-tf-adv_in1k': (timm_transform('tf_adv_in1k'), ROUNDING),
    'timm-gluon_in1k': (timm_transform('gluon_in1k'), ROUNDING),
    '8xb32_in1k': (mmpretrain_tensor, 0),
    'keras_in1k': (accurate(keras_tensor), ROUNDING),
    'timm-tf-tfeval_in1k': (accurate(slim_tensor), ROUNDING),
    'timm-tf-adv-tfeval_in1k': (accurate(slim_tensor), ROUNDING),
    'keras-tfeval_in1k': (accurate(slim_tensor), ROUNDING),
    'torch-fidelity_fid': (torch_fidelity_tensor, 0),
    'pytorch-fid_fid': (pytorch_fid_tensor, 0),
}

# TensorFlow's decoder approximates the cosine transform by default, which no library here does.
OWN_DECODER = {
    'keras_in1k': (keras_tensor, 0.11),
    'timm-tf-tfeval_in1k': (slim_tensor, 0.12),
}

# Whose images differ by more than rounding; pytorch-fid's are Keras's.
DISTINCT = (
    *('torchvision_in1k', 'timm-tv_in1k', 'timm-gluon_in1k', '8xb32_in1k', 'keras_in1k', 'keras-tfeval_in1k'),
    'torch-fidelity_fid',
)


def config_of(row):
    return Config.fromfile(CONFIGS / f'inception-v3_{row}.py')


@cache
def own_images(row, files):
    cfg = config_of(row)
    return torch.stack([prepared(cfg, path) for path in files])


def differences(row, function, files):
    return (own_images(row, files) - torch.stack([function(path) for path in files])).abs().flatten(1)


@pytest.mark.parametrize('row', SAME_PIXELS)
def test_images_are_prepared_as_the_publisher_does(row, files, record_property):
    function, bound = SAME_PIXELS[row]
    largest = differences(row, function, files).max().item()
    record_property('largest difference', f'{largest:.1e}')
    assert largest <= bound


@pytest.mark.parametrize('row', OWN_DECODER)
def test_tensorflows_own_decoder_differs_by_its_cosine_transform(row, files, record_property):
    function, bound = OWN_DECODER[row]
    found = differences(row, function, files)
    record_property('largest difference', f'{found.max().item():.1e}')
    assert found.max() <= bound
    assert found.mean() < 0.0078  # one level of grey


@pytest.mark.parametrize('row', DISTINCT)
def test_no_other_preparation_would_do(row, files):
    for other in DISTINCT:
        if other != row:
            assert (own_images(row, files) - own_images(other, files)).abs().max() > 0.1


@pytest.fixture
def fid_weights(tmp_path):
    """A file of the names and shapes of the published FID weights, with weights of chance."""
    generator = torch.Generator().manual_seed(0)
    state = inception_v3(num_classes=1008, aux_logits=False, init_weights=False).state_dict()
    for tensor in state.values():
        if tensor.ndim > 1:
            tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5, generator=generator)
    torch.save(state, tmp_path / 'weights.pth')
    return tmp_path / 'weights.pth'


def torch_fidelity_features(paths, weights, monkeypatch):
    module = pytest.importorskip('torch_fidelity.feature_extractor_inceptionv3')
    extract = module.FeatureExtractorInceptionV3('fid', ['2048'], feature_extractor_weights_path=str(weights))
    pixels = [torch.from_numpy(np.array(pillow(path))).permute(2, 0, 1)[None] for path in paths]
    return torch.cat([extract(image)[0] for image in pixels])


def pytorch_fid_features(paths, weights, monkeypatch):
    inception = pytest.importorskip('pytorch_fid.inception')
    from pytorch_fid.fid_score import get_activations

    monkeypatch.setattr(inception, 'load_state_dict_from_url', lambda *args, **kwargs: torch.load(weights))
    return torch.from_numpy(get_activations(paths, inception.InceptionV3(), batch_size=1, num_workers=0)).float()


@pytest.mark.parametrize(
    ('row', 'publisher'), [('torch-fidelity_fid', torch_fidelity_features), ('pytorch-fid_fid', pytorch_fid_features)]
)
def test_mmpretrains_extractor_gives_the_publishers_features(row, publisher, files, fid_weights, monkeypatch):
    expected = publisher(files[:2], fid_weights, monkeypatch)
    extract = FeatureExtractor(str(CONFIGS / f'inception-v3_{row}.py'), str(fid_weights), device='cpu')
    actual = torch.stack([output[-1] for output in extract([str(path) for path in files[:2]])])
    assert actual.shape == (2, 2048)
    assert (expected[0] - expected[1]).abs().max() > 0.01 * expected.abs().max()
    assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


@pytest.mark.slow
def test_probabilities_of_unlabelled_images_are_written(tool, tmp_path, files, fid_weights):
    folder = tmp_path / 'data/images/some'
    folder.mkdir(parents=True)
    for path in files[:2]:
        (folder / path.name).write_bytes(path.read_bytes())
    config = CONFIGS / 'inception-v3_torch-fidelity_fid.py'
    result = tool('test.py', config, fid_weights, '--out', 'probabilities.pkl')
    assert result.returncode == 0, result.stderr
    assert 'accuracy' not in result.stdout
    scores = [prediction['pred_score'] for prediction in load(tmp_path / 'probabilities.pkl')]
    assert [score.shape for score in scores] == [(1008,), (1008,)]
