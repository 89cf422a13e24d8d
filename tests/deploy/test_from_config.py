from copy import deepcopy

import cv2
import numpy as np
import pytest
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from mmpretrain.datasets import ResizeEdge
from PIL import Image
from sklearn.datasets import load_sample_images
from support import CONFIGS, code_blocks

from mmpretrain_inception.deploy import Contract
from mmpretrain_inception.deploy.from_config import contract_from_config, unknown_parts
from mmpretrain_inception.errors import InputError

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
LOAD = dict(type='LoadImageFromFile')
PACK = dict(type='PackInputs')
CROP = dict(type='CenterCrop', crop_size=75)
SIZES = [(120, 91), (91, 120), (200, 83), (151, 152), (100, 100)]


@pytest.fixture(scope='module')
def documented():
    """What docs/deploy.md has people save as prepare.py."""
    namespace = {}
    exec(code_blocks('docs/deploy.md')[0], namespace)
    return namespace


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
    """Parts of two photographs, of several shapes, without loss, and one that EXIF turns."""
    folder = tmp_path_factory.mktemp('photographs')
    for number, photograph in enumerate(load_sample_images().images):
        for height, width in SIZES:
            part = photograph[50 : 50 + height, 100 : 100 + width, ::-1]
            cv2.imwrite(str(folder / f'{number}_{height}x{width}.png'), part)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(load_sample_images().images[0][:150, :260]).save(folder / 'turned.jpg', exif=exif, quality=95)
    return sorted(map(str, folder.iterdir()))


@pytest.fixture
def config():
    """The digits' config with another test pipeline."""

    def build(*transforms):
        cfg = Config.fromfile(DIGITS)
        cfg.test_dataloader.dataset.pipeline = [ConfigDict(transform) for transform in transforms]
        return cfg

    return build


def packed(cfg, path):
    init_default_scope('mmpretrain')
    image = Compose(deepcopy(cfg.test_dataloader.dataset.pipeline))(dict(img_path=path, gt_label=0))['inputs']
    # As the loader hands it over, BGR of shape (3, H, W).
    return image.numpy().transpose(1, 2, 0)[..., ::-1]


PIPELINES = {
    'ResizeEdge, OpenCV': [LOAD, dict(type='ResizeEdge', scale=86), CROP, PACK],
    'ResizeEdge, a class': [LOAD, dict(type=ResizeEdge, scale=80, edge='short'), CROP, PACK],
    'width': [LOAD, dict(type='ResizeEdge', scale=200, edge='width', interpolation='area'), CROP, PACK],
    'height': [LOAD, dict(type='ResizeEdge', scale=230, edge='height', interpolation='lanczos'), CROP, PACK],
    'long': [LOAD, dict(type='ResizeEdge', scale=300, edge='long', interpolation='bicubic'), CROP, PACK],
    'Pillow, bilinear': [LOAD, dict(type='ResizeEdge', scale=86, backend='pillow'), CROP, PACK],
    'Pillow, bicubic': [
        dict(type='mmpretrain_inception.LoadImage', imdecode_backend='pillow', color_type='color_ignore_orientation'),
        dict(type='mmpretrain.ResizeEdge', scale=85, backend='pillow', interpolation='bicubic'),
        CROP,
        PACK,
    ],
    'both sides': [LOAD, dict(type='Resize', scale=(90, 75), interpolation='nearest'), PACK],
    'TensorFlow crop': [
        LOAD,
        dict(type='mmpretrain_inception.TensorFlowCentralCrop'),
        dict(type='Resize', scale=75),
        PACK,
    ],
    'two crops': [LOAD, dict(type='Resize', scale=(95, 90)), dict(type='CenterCrop', crop_size=(82, 80)), CROP, PACK],
}


@pytest.mark.parametrize('name', PIPELINES)
def test_the_document_prepares_images_as_the_pipeline_does(config, documented, photographs, name):
    cfg = config(*PIPELINES[name])
    contract = contract_from_config(cfg, 10, with_preprocess=True)
    assert unknown_parts(cfg, contract) == []
    read = Contract.from_json(contract.to_json(), 'file')
    assert read == contract
    for path in photographs:
        found = documented['prepare'](path, dict(preparation=read.preparation, with_preprocess=True))
        np.testing.assert_array_equal(found[0], packed(cfg, path))


def kinds_of_files():
    """Yield the name of a file, the image and how to save it."""
    photograph = Image.fromarray(load_sample_images().images[0][:90, :120])
    for mode in ('L', 'LA', 'RGBA', 'P', '1'):
        yield f'{mode}.png', photograph.convert(mode), {}
    yield 'transparent.png', photograph.convert('P'), dict(transparency=3)
    yield '16.png', Image.fromarray(np.asarray(photograph.convert('L')).astype(np.uint16) * 257), {}
    for suffix in ('bmp', 'gif', 'tiff', 'webp'):
        yield f'rgb.{suffix}', photograph, {}
    yield 'grey.jpg', photograph.convert('L'), {}
    yield 'progressive.jpg', photograph, dict(progressive=True)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield f'{orientation}.jpg', photograph, dict(exif=exif)


@pytest.mark.parametrize(('name', 'image', 'options'), list(kinds_of_files()), ids=lambda value: str(value)[:20])
@pytest.mark.parametrize('kind', ['mmpretrain_inception.LoadImage', 'LoadImageFromFile'])
def test_the_document_reads_every_kind_of_file_as_the_pipeline_does(
    config, documented, tmp_path, kind, name, image, options
):
    image.save(tmp_path / name, **options)
    cfg = config(dict(type=kind), dict(type='Resize', scale=75), PACK)
    preparation = contract_from_config(cfg, 10).preparation
    found = documented['prepare'](str(tmp_path / name), dict(preparation=preparation, with_preprocess=True))
    np.testing.assert_array_equal(found[0], packed(cfg, str(tmp_path / name)))


def test_the_document_normalises_as_the_preprocessor_does(config, documented, photographs):
    cfg = config(*PIPELINES['ResizeEdge, OpenCV'])
    cfg.data_preprocessor.update(mean=[103.5, 116.3, 123.7], std=[57.0, 58.0, 59.0], to_rgb=False)
    contract = contract_from_config(cfg, 10)
    settings = dict(
        **dict(preparation=contract.preparation, with_preprocess=False, channel_order=contract.channel_order),
        **dict(mean=contract.mean, std=contract.std),
    )
    found = documented['prepare'](photographs[0], settings)
    bgr = packed(cfg, photographs[0])[..., ::-1].astype(np.float64)
    expected = (bgr - cfg.data_preprocessor.mean) / cfg.data_preprocessor.std
    # A few roundings in float32 of numbers below 5.
    np.testing.assert_allclose(found[0], expected.transpose(2, 0, 1), rtol=0, atol=5e-6)


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.name)
def test_the_preparation_of_every_config_of_ours_is_known(path):
    cfg = Config.fromfile(path)
    contract = contract_from_config(cfg, 10)
    # pytorch-fid resizes a tensor by torchvision's transforms.
    assert (contract.preparation is None) == ('pytorch-fid' in path.name)


@pytest.mark.parametrize(
    ('transforms', 'named'),
    [
        ([LOAD, dict(type='EfficientNetCenterCrop', crop_size=75), PACK], 'EfficientNetCenterCrop'),
        ([LOAD, dict(type='Resize', scale=75), dict(type='ColorTransform', magnitude=0.5, prob=1.0), PACK], 'ColorTr'),
        ([dict(type='LoadImageFromFile', to_float32=True), dict(type='Resize', scale=75), PACK], 'LoadImageFromFile'),
        ([dict(type='LoadImageFromFile', color_type='grayscale'), dict(type='Resize', scale=75), PACK], 'grayscale'),
        ([LOAD, dict(type='Resize', scale=(300, 300), keep_ratio=True), CROP, PACK], 'keep_ratio=True'),
        ([LOAD, dict(type='Resize', scale=70), dict(type='CenterCrop', crop_size=75, auto_pad=True), PACK], 'auto_pad'),
        (
            [
                *(LOAD, dict(type='NumpyToPIL', to_rgb=True), dict(type='torchvision/Resize', size=(75, 75))),
                *(dict(type='PILToNumpy', to_bgr=True), PACK),
            ],
            'NumpyToPIL',
        ),
    ],
)
def test_a_pipeline_that_no_step_describes_is_not_guessed(config, transforms, named):
    cfg = config(*transforms)
    contract = contract_from_config(cfg, 10)
    assert contract.preparation is None
    (line,) = unknown_parts(cfg, contract)
    assert 'preparation: null' in line
    assert named in line
    assert '\n' not in line


def test_pixels_that_are_not_whole_numbers_do_not_go_into_a_file_that_takes_pixels(config):
    cfg = config(LOAD, dict(type='mmpretrain_inception.TensorFlowResize', scale=75), PACK)
    assert contract_from_config(cfg, 10).preparation[1]['backend'] == 'tensorflow1'
    with pytest.raises(
        InputError, match='--with-preprocess: expected uint8 images, got float32 from the test pipeline'
    ):
        contract_from_config(cfg, 10, with_preprocess=True)


def test_a_dataset_in_a_wrapper_and_one_without_a_pipeline(config):
    cfg = config(LOAD, dict(type='Resize', scale=(80, 75)), PACK)
    cfg.test_dataloader.dataset = ConfigDict(type='RepeatDataset', times=1, dataset=cfg.test_dataloader.dataset)
    assert (contract_from_config(cfg, 10).height, contract_from_config(cfg, 10).width) == (75, 80)
    for nothing in (None, ConfigDict(dataset=dict(type='CIFAR10'))):
        cfg.test_dataloader = nothing
        with pytest.raises(InputError, match=r'takes the size of its images from test_dataloader\.dataset\.pipeline'):
            contract_from_config(cfg, 10)


@pytest.mark.parametrize(
    ('head', 'expected'),
    [
        (dict(type='LinearClsHead'), ('softmax', None, None)),
        (dict(type='mmpretrain_inception.InceptionHead', topk=(1, 5)), ('softmax', None, None)),
        (dict(type='MultiLabelLinearClsHead'), ('sigmoid', 0.5, None)),
        (dict(type='mmpretrain.MultiLabelClsHead', thr=0.3), ('sigmoid', 0.3, None)),
        (dict(type='MultiLabelLinearClsHead', topk=2), ('sigmoid', None, 2)),
        # mmpretrain uses thr where both are set.
        (dict(type='CSRAClsHead', thr=0.2, topk=2), ('sigmoid', 0.2, None)),
        (dict(type='MAEPretrainHead'), (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_the_head_says_what_turns_logits_into_scores(config, head, expected):
    cfg = config(LOAD, dict(type='Resize', scale=75), PACK)
    cfg.model.head = head and ConfigDict(head)
    contract = contract_from_config(cfg, 10)
    assert (contract.activation, contract.threshold, contract.topk) == expected
    assert bool(unknown_parts(cfg, contract)) == (expected[0] is None)
