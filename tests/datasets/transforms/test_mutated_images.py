import resource
import zlib
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmpretrain import ImageClassificationInferencer
from mutated_images import base_files, write_files
from torch.nn import Identity
from torch.utils.data import DataLoader

from mmpretrain_inception.datasets import ImageFolder, LoadImage
from mmpretrain_inception.engine.runner.numbered_batches import number_batches
from mmpretrain_inception.errors import BrokenImageError
from mmpretrain_inception.utils.message_hub import BROKEN_IMAGES

# What Pillow and its readers warn of in damaged files is not what is tested.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings('ignore')]

CV2, PILLOW = dict(imdecode_backend='cv2'), dict(imdecode_backend='pillow')
ENDINGS = ('.jpg', '.jpeg', '.png', '.gif', '.webp', '.bmp', '.tif', '.tiff', '.ppm')
TRAINING = (
    dict(type='RandomResizedCrop', scale=75, crop_ratio_range=(0.5, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
)
TESTING = (dict(type='ResizeEdge', scale=75, edge='short'), dict(type='CenterCrop', crop_size=75))
# The largest image that is not refused, in a few copies: 89 million pixels of 3 bytes. A picture of 60000 x 60000 has
# 10 GiB.
MEMORY = 1.5 * 2**30


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('mutated')
    assert write_files(path) >= 1000
    return path


def digest(results):
    """Note what was decoded, before it is cropped."""
    image = results['img']
    assert (image.dtype, image.ndim, image.shape[2]) == (np.uint8, 3, 3)
    results['digest'] = (image.shape, zlib.crc32(np.ascontiguousarray(image)))
    return results


def pipeline_of(loading, steps):
    load = dict(type='mmpretrain_inception.LoadImage', **loading)
    return [load, digest, *steps, dict(type='PackInputs', meta_keys=('img_path', 'digest'))]


def images(folder, loading, steps):
    return ImageFolder(str(folder), extensions=ENDINGS, pipeline=pipeline_of(loading, steps))


class Named:
    """A dataset that gives the error in the place of a sample."""

    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        try:
            return self.dataset[index]
        except BrokenImageError as error:
            return error.args


def load_all(folder, loading):
    """Return for each file what it decodes to, or the error, by the transform alone."""
    load, found = LoadImage(**loading), {}
    for path in sorted(map(str, (folder / 'x').iterdir())):
        try:
            found[path] = digest(load(dict(img_path=path)))['digest']
        except BrokenImageError as error:
            found[path] = str(error)
    return found


def through_test_loader(folder, loading):
    loader = DataLoader(
        Named(images(folder, loading, TESTING)),
        batch_size=16,
        num_workers=2,
        timeout=60,
        collate_fn=lambda batch: batch,
    )
    inputs, found = {}, {}
    for sample in (sample for batch in loader for sample in batch):
        if isinstance(sample, tuple):
            found[sample[0].partition(': ')[0]] = sample[0]
        else:
            path = sample['data_samples'].img_path
            inputs[path], found[path] = sample['inputs'], sample['data_samples'].digest
    return found, inputs


def through_training_loader(folder, loading):
    dataset = images(folder, loading, TRAINING)
    sampler = DefaultSampler(dataset, shuffle=True, seed=0)
    plain = DataLoader(dataset, batch_size=16, sampler=sampler, num_workers=2, timeout=60, collate_fn=pseudo_collate)
    loader, batches = number_batches(plain)
    dataset.__getitems__.replaces_broken = True
    batches.key = (0, 0, 0)
    decoded, named, count = {}, {}, 0
    for batch in loader:
        for pixels, sample in zip(batch['inputs'], batch['data_samples']):
            assert pixels.shape == (3, 75, 75)
            decoded[sample.img_path] = sample.digest
            named |= {message.partition(': ')[0]: message for message in sample.get(BROKEN_IMAGES, [])}
            count += 1
    return decoded, named, count


def through_inference(paths, loading):
    inferencer = ImageClassificationInferencer.__new__(ImageClassificationInferencer)
    inferencer.model = Identity()
    load, _, *steps = pipeline_of(loading, TESTING)
    steps[-1] = dict(type='PackInputs')
    dataset = SimpleNamespace(pipeline=[load, *steps])
    inferencer.pipeline = inferencer._init_pipeline(SimpleNamespace(test_dataloader=SimpleNamespace(dataset=dataset)))
    found = {}
    for path in paths:
        try:
            ((found[path],),) = (batch['inputs'] for batch in inferencer.preprocess([path]))
        except BrokenImageError as error:
            found[path] = str(error)
    return found


def peak_memory():
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) * 1024


# At a quarter of their sizes too: the shorter sides are of 44 pixels.
@pytest.mark.parametrize('loading', [CV2, PILLOW, dict(min_size=11)], ids=['cv2', 'pillow', 'scaled'])
def test_every_file_is_decoded_alike_or_named_in_training_testing_and_inference(folder, loading):
    before = peak_memory()
    expected = load_all(folder, loading)
    broken = {path: message for path, message in expected.items() if isinstance(message, str)}
    assert all(message.startswith(f'{path}: ') and '\n' not in message for path, message in broken.items())

    tested, inputs = through_test_loader(folder, loading)
    assert tested == expected

    decoded, named, count = through_training_loader(folder, loading)
    assert count == len(expected)
    assert named == broken
    assert decoded == {path: expected[path] for path in expected.keys() - broken.keys()}

    inferred = through_inference(expected, loading)
    assert {path: message for path, message in inferred.items() if isinstance(message, str)} == broken
    for path, pixels in inputs.items():
        np.testing.assert_array_equal(inferred[path], pixels)

    assert peak_memory() - before < MEMORY


@pytest.fixture(scope='module', params=[CV2, PILLOW], ids=['cv2', 'pillow'])
def by_mutation(folder, request):
    """What became of the files, by the name of the mutation and the kind of file."""
    table = defaultdict(dict)
    for path, result in load_all(folder, request.param).items():
        kind, _, mutation = Path(path).name.partition('-')
        table[mutation.partition('.')[0]].setdefault(kind, []).append(result)
    return table


def test_whole_files_are_decoded_whatever_their_ending_and_whatever_follows(by_mutation):
    whole = by_mutation['whole']
    assert len(whole) == len(base_files())
    for kind, (result,) in whole.items():
        width, height = (44, 56) if kind == 'exif' else (56, 44)
        assert result[0] == (height, width, 3)
        for mutation in ('wrong_ending', 'with_junk', 'with_a_file_behind'):
            assert by_mutation[mutation][kind] == [result] * len(by_mutation[mutation][kind]), (kind, mutation)


@pytest.mark.parametrize(
    'mutation', ['cut_at_0_quarters', 'cut_at_1_quarters', 'cut_at_2_quarters', 'cut_at_3_quarters']
)
def test_truncated_files_are_named(by_mutation, mutation):
    # The first frame of an animation, which is the one that is taken, ends before.
    animations = {'gif', 'animated_webp'} if mutation in ('cut_at_2_quarters', 'cut_at_3_quarters') else set()
    decoded = {kind for kind, (result,) in by_mutation[mutation].items() if not isinstance(result, str)}
    assert decoded <= animations


def test_images_that_claim_too_many_pixels_are_refused_by_their_headers(by_mutation):
    assert len(by_mutation['huge']) > 12
    for kind, (result,) in by_mutation['huge'].items():
        assert 'expected at most 89,478,485 pixels' in result or 'exceeds limit' in result, kind
