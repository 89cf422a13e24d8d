import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpretrain.registry import TRANSFORMS  # noqa: F401 - registers mmpretrain's transforms
from support import CONFIGS

from mmpretrain_inception.configuring.image_size import check_image_size, parse_size, resize_images
from mmpretrain_inception.configuring.options import TrainOptions
from mmpretrain_inception.configuring.reading import read_config
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.registry import TRANSFORMS as OURS

# pytorch-fid's network resizes images itself. Multi-crop testing cuts squares.
SIZED = sorted(path.name for path in CONFIGS.glob('*.py') if 'pytorch-fid' not in path.name)
SQUARE = [name for name in SIZED if 'crop_' in name or 'ensemble' in name]


def sizes(cfg):
    """Return the size of what each pipeline makes of an image; what reads, packs and colours is left out."""
    image = np.zeros((130, 170, 3), np.uint8)
    for phase in ('train', 'val', 'test'):
        loader = cfg.get(f'{phase}_dataloader')
        if loader is not None:
            kept = [
                step for step in loader.dataset.pipeline if any(word in step['type'] for word in ('Crop', 'Resize'))
            ]
            transforms = Compose([OURS.build(step) for step in kept])
            yield phase, transforms(dict(img=image, img_shape=image.shape[:2]))['img'].shape[:2]


@pytest.mark.parametrize('name', SIZED)
def test_every_config_makes_images_of_the_size(name):
    for text, size in [('96', (96, 96)), *([] if name in SQUARE else [('96x120', (96, 120))])]:
        found = dict(sizes(read_config(TrainOptions(str(CONFIGS / name), image_size=text)).cfg))
        # One recipe trains on smaller images than it tests on.
        smaller = found.pop('train', size)
        assert set(found.values()) == {size}
        assert smaller == (tuple(round(side * 256 / 299) for side in size) if 'modern_8x' in name else size)


@pytest.mark.parametrize('name', SQUARE)
def test_crops_of_squares_need_a_square(name):
    assert read_config(TrainOptions(str(CONFIGS / name), image_size=96)).cfg.tta_model.crop_size == 96
    with pytest.raises(UsageError, match='expected a square, such as 120, because tta_model is one'):
        read_config(TrainOptions(str(CONFIGS / name), image_size='96x120'))


def test_smaller_training_crops_are_said():
    notes = read_config(TrainOptions(str(CONFIGS / 'inception-v3-modern_8xb128_in1k.py'), image_size=224)).notes
    assert notes == ('--image-size 224: training crops have 192 pixels, as the config trains at 256 and tests at 299',)


@pytest.mark.parametrize(
    ('value', 'expected'), [(224, (224, 224)), ('224', (224, 224)), ('75X300', (75, 300)), ((80, 90), (80, 90))]
)
def test_how_a_size_is_written(value, expected):
    assert parse_size(value) == expected


@pytest.mark.parametrize('value', ['', 'x', '0', '224x', '224,320', '-5', '22.5', 'big', (1, 2, 3)])
def test_what_is_no_size(value):
    with pytest.raises(UsageError, match='expected H or HxW in pixels, such as 224 or 224x320'):
        parse_size(value)


def config(*pipeline, **backbone):
    return Config(
        dict(
            model=dict(backbone=dict(type='mmpretrain_inception.InceptionV3', **backbone)),
            test_dataloader=dict(dataset=dict(type='CustomDataset', pipeline=list(pipeline))),
        )
    )


def test_what_comes_before_the_crop_follows_and_nested_transforms_count():
    resize = dict(type='RandomApply', transforms=[dict(type='mmcv.Resize', scale=(400, 200))])
    meaning = resize_images(config(resize, dict(type='CenterCrop', crop_size=(100, 50))), '100x200')
    assert meaning.main == {'test_dataloader.dataset.pipeline.1.crop_size': (200, 100)}
    assert meaning.follows == {'test_dataloader.dataset.pipeline.0.transforms.0.scale': (800, 400)}


@pytest.mark.parametrize(
    ('value', 'backbone', 'message'),
    [
        (74, {}, '--image-size 74: expected at least 75 pixels for this network, got 74 in test'),
        ('100x60', {}, '--image-size 100x60: expected at least 75 pixels for this network, got 60 in test'),
        (75, {}, None),
        (39, dict(stem_stride=1), None),
    ],
)
def test_images_that_are_too_small_for_the_network(value, backbone, message):
    size = parse_size(value)
    cfg = config(dict(type='CenterCrop', crop_size=(size.width, size.height)), **backbone)
    if message is None:
        check_image_size(cfg, value)
    else:
        with pytest.raises(UsageError, match=message):
            check_image_size(cfg, value)


def test_a_pipeline_without_sizes():
    with pytest.raises(UsageError, match=r'test_dataloader\.dataset\.pipeline has no transform whose size is known'):
        resize_images(config(dict(type='PackInputs')), 100)
