import re
from textwrap import dedent

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from narrow import thinner

from mmpretrain_inception.models.tta import MultiCrop

pytestmark = pytest.mark.usefixtures('narrow')

MEAN, STD = np.float32([123.675, 116.28, 103.53]), np.float32([58.395, 57.12, 57.375])
PREPROCESSOR = dict(mean=MEAN.tolist(), std=STD.tolist(), to_rgb=True)


@pytest.fixture
def classifier(make_classifier, randomise):
    torch.manual_seed(0)
    model = randomise(make_classifier(backbone=dict(out_indices=4), head=dict(with_aux=False))).eval()
    # The scores of so few channels differ less from image to image.
    model.head.fc.weight.data *= 5
    model.data_preprocessor = MODELS.build(dict(type='ClsDataPreprocessor', **PREPROCESSOR))
    return model


@pytest.fixture
def photographs():
    """A landscape, a portrait and a square of smooth noise, as OpenCV reads images."""
    rng = np.random.default_rng(0)
    sizes = ((60, 45), (40, 70), (50, 50))
    return [
        cv2.resize(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8), size, interpolation=cv2.INTER_CUBIC)
        for size in sizes
    ]


def batch_of(images, labels):
    return dict(inputs=[torch.from_numpy(image).permute(2, 0, 1).contiguous() for image in images], data_samples=labels)


def score(classifier, crop):
    """Predict one crop of 75 x 75 pixels, with nothing of mmpretrain's before the network."""
    pixels = (crop[:, :, ::-1].astype(np.float32) - MEAN) / STD
    with torch.no_grad():
        return classifier(torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy()), mode='tensor').softmax(1)[0]


def plain_loop(classifier, image, short_sides, thirds):
    """Average the scores over GoogLeNet's crops, in a loop over what OpenCV makes."""
    height, width = image.shape[:2]
    total, count = 0, 0
    for short in short_sides:
        size = (short, height * short // width) if width < height else (width * short // height, short)
        resized = cv2.resize(image, size)
        room = max(size) - short
        for offset in [(0, room // 2, room)[third] for third in thirds]:
            square = resized[offset : offset + short] if width < height else resized[:, offset : offset + short]
            end = short - 75
            crops = [square[y : y + 75, x : x + 75] for y in (0, end) for x in (0, end)]
            crops += [square[end // 2 :, end // 2 :][:75, :75], cv2.resize(square, (75, 75))]
            for crop in crops:
                total = total + score(classifier, crop) + score(classifier, cv2.flip(crop, 1))
                count += 2
    return total / count, count


@pytest.mark.parametrize(
    ('options', 'loop', 'crops', 'count'),
    [
        (dict(scales=(256,), squares=('centre',)), ((86,), (1,)), 12, 3),
        pytest.param({}, ((86, 96, 107, 118), (0, 1, 2)), 144, 2, marks=pytest.mark.slow),
    ],
)
def test_scores_are_those_of_a_plain_loop(classifier, photographs, labelled, options, loop, crops, count):
    photographs, labels = photographs[:count], [3, 1, 4][:count]
    model = MODELS.build(dict(type='mmpretrain_inception.MultiCropTTA', module=classifier, crop_size=75, **options))
    with torch.no_grad():
        predictions = model.test_step(batch_of(photographs, labelled(*labels)))
    expected = [plain_loop(classifier, image, *loop) for image in photographs]
    assert {number for _, number in expected} == {crops}
    torch.testing.assert_close(
        torch.stack([prediction.pred_score for prediction in predictions]),
        torch.stack([scores for scores, _ in expected]),
        rtol=1e-4,
        atol=1e-6,
    )
    assert [p.gt_label.item() for p in predictions] == labels
    assert [p.pred_label.item() for p in predictions] == [scores.argmax().item() for scores, _ in expected]
    # The images differ by more than the tolerance, and so does a crop from the average.
    assert (expected[0][0] - expected[1][0]).abs().max() > 1e-3
    assert (score(classifier, cv2.resize(photographs[0], (75, 75))) - expected[0][0]).abs().max() > 1e-3


class Recorder(torch.nn.Module):
    """A classifier that notes the shapes of the batches that it is given, and scores the mean grey."""

    def __init__(self):
        super().__init__()
        self.shapes = []

    def test_step(self, data):
        self.shapes.append(tuple(data['inputs'].shape))
        grey = data['inputs'].float().mean((1, 2, 3)) / 255
        return [s.set_pred_score(torch.stack([g, 1 - g])) for s, g in zip(data['data_samples'], grey)]


def test_the_model_sees_one_crop_of_each_image_at_a_time(photographs, labelled):
    recorder = Recorder()
    model = MODELS.build(dict(type='mmpretrain_inception.MultiCropTTA', module=recorder, crop_size=75))
    predictions = model.test_step(batch_of(photographs, labelled(0, 0, 0)))
    assert recorder.shapes == [(3, 3, 75, 75)] * 144
    for prediction, image in zip(predictions, photographs):
        grey = np.mean([crop.mean() for crop in MultiCrop(75).cut(image)]) / 255
        torch.testing.assert_close(prediction.pred_score, torch.tensor([grey, 1 - grey], dtype=torch.float32))


def test_a_config_of_the_classifier_is_built_with_the_preprocessor():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='mmpretrain_inception.MultiCropTTA',
                module=dict(type='ImageClassifier', backbone=dict(type='mmpretrain_inception.InceptionV3')),
                data_preprocessor=dict(PREPROCESSOR),
            )
        )
    assert model.module.data_preprocessor.mean.flatten().tolist() == pytest.approx(PREPROCESSOR['mean'])
    assert len(model.crops) == 144


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_crops(tool, tmp_path):
    def peak_megabytes(options):
        program = f"""
            import resource
            import torch
            from mmengine.registry import init_default_scope
            from mmpretrain.registry import MODELS
            from mmpretrain.structures import DataSample
            torch.set_num_threads(1)
            init_default_scope('mmpretrain')
            classifier = dict(
                type='ImageClassifier',
                backbone=dict(type='mmpretrain_inception.InceptionV3', out_indices=0),
                neck=dict(type='GlobalAveragePooling'),
                head=dict(type='LinearClsHead', num_classes=2, in_channels={thinner(64)}),
            )
            model = MODELS.build(
                dict(type='mmpretrain_inception.MultiCropTTA', module=classifier, crop_size=75, **{options})
            ).eval()
            images = [torch.randint(0, 256, (3, 375, 500), dtype=torch.uint8) for _ in range(32)]
            with torch.no_grad():
                model.test_step(dict(inputs=images, data_samples=[DataSample() for _ in images]))
            print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        """
        (tmp_path / 'program.py').write_text(dedent(program))
        done = tool(tmp_path / 'program.py')
        return int(re.search(r'peak (\d+)', done.stdout)[1])

    twelve = peak_megabytes(dict(scales=(256,), squares=('centre',)))
    # All crops of the batch at once would be 78 MB of bytes, and 311 MB once normalised.
    assert peak_megabytes({}) - twelve < 25
