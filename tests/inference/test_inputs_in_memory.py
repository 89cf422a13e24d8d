"""The same picture gives the same answer, whatever it is handed over as."""

import io
import shutil

import numpy as np
import pytest
import torch
from narrow import SHARE
from PIL import Image, ImageOps
from tiny_model import encoded, picture

from mmpretrain_inception.errors import BrokenImageError, InputError
from mmpretrain_inception.inference.pixels import sample_of


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture(), 'JPEG', exif=exif, quality=95)


def sixteen_bits():
    grey = np.asarray(picture('L')).astype(np.uint16) * 256 + 77
    return encoded(Image.fromarray(grey), 'PNG')


def see_through():
    return encoded(picture().quantize(32), 'PNG', transparency=0)


KINDS = {
    'JPEG': lambda: encoded(picture(), 'JPEG', quality=95),
    'JPEG, grey': lambda: encoded(picture('L'), 'JPEG', quality=95),
    'JPEG, turned by EXIF': turned,
    'JPEG, large': lambda: encoded(picture(size=(500, 400)), 'JPEG', quality=95),
    'PNG': lambda: encoded(picture(), 'PNG'),
    'PNG, grey': lambda: encoded(picture('L'), 'PNG'),
    'PNG, alpha': lambda: encoded(picture('RGBA'), 'PNG'),
    'PNG, grey and alpha': lambda: encoded(picture('LA'), 'PNG'),
    'PNG, palette': lambda: encoded(picture().quantize(32), 'PNG'),
    'PNG, palette and transparent': see_through,
    'PNG, 16 bits': sixteen_bits,
    'PNG, 1 bit': lambda: encoded(picture('1'), 'PNG'),
    'GIF': lambda: encoded(picture(), 'GIF'),
    'BMP': lambda: encoded(picture(), 'BMP'),
    'TIFF': lambda: encoded(picture(), 'TIFF'),
    'WebP': lambda: encoded(picture(), 'WEBP', lossless=True),
}


def as_array(content):
    """Return what people have of a file: its pixels in its own channels, upright."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
    return np.asarray(image.convert('RGB') if image.mode == 'P' else image)


def as_tensor(content):
    array = as_array(content)
    array = (array >> 8).astype(np.uint8) if array.dtype == np.uint16 else array
    array = array * np.uint8(255) if array.dtype == bool else array
    return torch.from_numpy(np.array(array[..., None] if array.ndim == 2 else array)).permute(2, 0, 1)


@pytest.mark.parametrize('kind', KINDS)
def test_every_form_of_a_picture_gives_the_same_answer(model, kind, tmp_path):
    content = KINDS[kind]()
    path = tmp_path / 'picture'
    path.write_bytes(content)
    with Image.open(path) as fresh:
        forms = [str(path), path, content, bytearray(content), fresh]
        # Their pixels are decoded at full size.
        if kind != 'JPEG, large':
            loaded = Image.open(path)
            loaded.load()
            tensor = as_tensor(content)
            forms += [loaded, as_array(content), tensor, tensor.float() / 255]
        answers = [prediction.scores for prediction in model.predict(forms, batch_size=len(forms))]
        assert fresh.size == Image.open(path).size
    assert len({answer.tobytes() for answer in answers}) == 1
    assert len(set(answers[0].tolist())) == 3


def test_one_gives_one_and_several_give_a_list(model):
    array = np.array(picture())
    one = model.predict(array)
    assert one.name == model.classes[one.label]
    assert one.score == one.scores.max() == one.top[0].score
    assert [ranked.label for ranked in one.top] == np.argsort(-one.scores).tolist()
    assert one.path == 'ndarray 0'
    batches = [[array], (array,), array[None], torch.from_numpy(array).permute(2, 0, 1)[None], iter([array])]
    for batch in batches:
        (found,) = model.predict(batch)
        assert found.scores.tolist() == one.scores.tolist()
    assert len(model.predict(array, top_k=2).top) == 2
    assert model.predict([]) == []


def test_features_are_what_the_classifier_sees(model):
    images = [picture(seed=1), picture(seed=2)]
    features = model.features(images)
    assert features.shape == (2, 2048 // SHARE)
    assert model.features(images[0]).shape == (2048 // SHARE,)
    logits = model.network.head.fc(torch.from_numpy(features))
    scores = np.stack([prediction.scores for prediction in model.predict(images)])
    np.testing.assert_array_equal(logits.softmax(1).detach().numpy(), scores)


def test_folders_patterns_lists_and_archives_are_several(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'in').mkdir()
    for number in range(2):
        picture(seed=number).save(tmp_path / 'in' / f'{number}.png')
    (tmp_path / 'list.txt').write_text('in/0.png\nin/1.png\n')
    shutil.make_archive('in', 'zip', 'in')
    expected = [model.predict(f'in/{number}.png', batch_size=1).scores.tolist() for number in range(2)]
    for inputs in ('in', tmp_path / 'in', 'in/*.png', '@list.txt', 'in.zip', ['in'], ['in/0.png', 'in/1*.png']):
        found = model.predict(inputs, batch_size=1)
        assert [prediction.scores.tolist() for prediction in found] == expected
    assert model.features('in').shape == (2, 2048 // SHARE)
    assert len(model.predict('in/0*')) == 1


GREY = np.zeros((8, 8), np.uint8)


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (GREY.astype(np.float32), 'expected pixels of type uint8 .* got float32'),
        (GREY[0], r'expected an array of height x width, .* got shape \(8,\)'),
        (np.zeros((3, 8, 8), np.uint8), r'channels last, got shape \(3, 8, 8\)'),
        (np.zeros((0, 8, 3), np.uint8), r'got shape \(0, 8, 3\)'),
        (torch.zeros(8, 8, 3), r'expected a tensor of 1 to 4 channels x height x width, .* got shape \(8, 8, 3\)'),
        (torch.full((3, 8, 8), 1.5), r'got values from 1\.5 to 1\.5; give it before it is normalised'),
        (torch.full((3, 8, 8), float('nan')), 'got values from nan to nan'),
        (torch.zeros(3, 8, 8, dtype=torch.int64), r'got torch\.int64'),
        (3, 'expected a path, bytes, .* got int'),
    ],
    ids=lambda value: str(getattr(value, 'dtype', type(value).__name__)) if not isinstance(value, str) else None,
)
def test_other_images_in_memory_are_refused(image, message):
    with pytest.raises(InputError, match=f'^image 7: .*{message}'):
        sample_of(image, 'image 7')


@pytest.mark.parametrize(
    'image',
    [b'', b'no image', 'missing.jpg', Image.new('F', (8, 8))],
    ids=['no bytes', 'other bytes', 'no file', 'floats'],
)
def test_broken_images_are_named(model, image, tmp_path):
    name = image if isinstance(image, str) else f'{type(image).__name__} 1'
    with pytest.raises(BrokenImageError, match=f'^{name}: '):
        model.predict([picture(), image])
