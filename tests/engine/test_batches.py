import pytest
import torch
from mmengine.structures import BaseDataElement
from mmpretrain.structures import DataSample

from mmpretrain_inception.engine.batches import count_images, list_files, samples_of

A, B = DataSample(img_path='a.jpg'), BaseDataElement(metainfo=dict(img_path='b.jpg'))
IMAGES = torch.zeros(2, 3, 4, 4)
BRANCHES = dict(inputs=dict(one=[IMAGES[0]], two=[IMAGES[1]]), data_samples=dict(one=[A], two=[B]))


@pytest.mark.parametrize(
    ('batch', 'images', 'files'),
    [
        (dict(inputs=IMAGES, data_samples=[A, B]), 2, ['a.jpg', 'b.jpg']),
        (dict(inputs=[IMAGES[0], IMAGES[1]], data_samples=[A, B]), 2, ['a.jpg', 'b.jpg']),
        (dict(inputs=[IMAGES, IMAGES], data_samples=[A, B]), 2, ['a.jpg', 'b.jpg']),
        (BRANCHES, 2, ['a.jpg', 'b.jpg']),
        ([dict(inputs=IMAGES[0], data_samples=A), dict(inputs=IMAGES[1], data_samples=B)], 2, ['a.jpg', 'b.jpg']),
        (dict(inputs=IMAGES), 2, []),
        (dict(inputs=IMAGES, data_samples=[dict(img_path='c.jpg'), {}]), 2, ['c.jpg']),
        (dict(inputs=IMAGES, data_samples=[1, 2]), 2, []),
        ((IMAGES, torch.zeros(2)), 2, []),
        ([IMAGES, torch.zeros(2)], 2, []),
        (IMAGES, 2, []),
        (dict(images=IMAGES), 0, []),
        (([], []), 0, []),
        ((), 0, []),
        (None, 0, []),
        (1, 0, []),
    ],
)  # fmt: skip
def test_images_and_their_files_are_found_in_batches_of_every_kind(batch, images, files):
    assert count_images(batch) == images
    assert list_files(batch) == files
    assert len(samples_of(batch)) >= len(files)
