import csv
import os
import sys
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from support import serving
from tiny_model import CLASSES, encoded, picture, write_checkpoint

from mmpretrain_inception.apis import PredictOptions
from mmpretrain_inception.apis import predict as run
from mmpretrain_inception.deploy.preparation import crop, load, resize
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.inference import stream
from mmpretrain_inception.inference.journal import Journal
from mmpretrain_inception.inference.load import load_model
from mmpretrain_inception.inference.model import Model

predict_module = sys.modules[run.__module__]


@pytest.fixture(scope='module')
def model(narrow, tmp_path_factory):
    return load_model(write_checkpoint(tmp_path_factory.mktemp('model') / 'best_x_epoch_1.pth'), 'cpu')


@pytest.fixture
def photos(tmp_path, monkeypatch, model):
    """Ten photos, of which two are broken, in the current folder; the model is loaded already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(predict_module, 'load_model', lambda name: model)
    (tmp_path / 'photos').mkdir()
    for number in range(10):
        content = encoded(picture(seed=number), 'JPEG')
        (tmp_path / 'photos' / f'{number}.jpg').write_bytes(content[:200] if number in (3, 4) else content)
    return tmp_path


def options(**changes):
    return replace(PredictOptions(model='m', inputs=('photos',), batch_size=3, workers=0), **changes)


def table(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_table(photos, model, capsys):
    run(options(out='p.csv', top_k=2))
    rows = table('p.csv')
    assert [row['path'] for row in rows] == [f'photos/{number}.jpg' for number in range(10)]
    assert [row['path'] for row in rows if row['error']] == ['photos/3.jpg', 'photos/4.jpg']
    good = [row for row in rows if not row['error']]
    # In the same batches, the scores are the same.
    batches = [[good[i]['path'] for i in range(start, min(start + 3, 8))] for start in (0, 3, 6)]
    found = [prediction for batch in batches for prediction in model.predict(batch)]
    assert [row['label'] for row in good] == [prediction.name for prediction in found]
    assert [np.float32(row['score_2']) for row in good] == [np.float32(prediction.top[1].score) for prediction in found]
    said = capsys.readouterr().err
    assert 'photos/3.jpg: ' in said
    assert '; 2 of 10 images cannot be used\nwritten: p.csv\n' in said
    assert sorted(path.name for path in photos.iterdir()) == ['p.csv', 'photos']


@pytest.mark.parametrize('batches', [0, 1, 2])
def test_a_stopped_run_goes_on_with_the_same_result(photos, monkeypatch, capsys, batches):
    settings = options(features=True, copy_to='sorted')
    run(replace(settings, out='whole.csv', copy_to='whole'))
    added = Journal.add

    def stop(journal, rows):
        nonlocal batches
        if batches == 0:
            # As after a kill, part of a line is there.
            journal._file.write(b'[{"path": "photos')
            raise KeyboardInterrupt
        batches -= 1
        added(journal, rows)

    expected = batches
    monkeypatch.setattr(Journal, 'add', stop)
    with pytest.raises(KeyboardInterrupt):
        run(replace(settings, out='p.csv'))
    monkeypatch.setattr(Journal, 'add', added)
    assert not (photos / 'p.csv').exists()
    capsys.readouterr()
    run(replace(settings, out='p.csv'))
    assert (photos / 'p.csv').read_bytes() == (photos / 'whole.csv').read_bytes()
    assert ('going on after' in capsys.readouterr().err) is (expected > 0)
    copies = [sorted(str(file.relative_to(name)) for file in Path(name).rglob('*.jpg')) for name in ('whole', 'sorted')]
    assert copies[0] == copies[1]
    assert len(copies[0]) == 8
    assert not (photos / 'p.csv.unfinished').exists()


def test_without_a_table_a_line_is_printed_for_each(photos, capsys):
    run(options(inputs=('photos/1.jpg', 'photos/3.jpg'), top_k=2))
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line.startswith('photos/1.jpg  ')
    assert line.count('%') == 2
    assert printed.err.startswith('photos/3.jpg: ')


def test_another_image_size_is_that_of_the_other_tools(photos, model):
    run(options(out='p.csv', image_size='90x100'))
    steps = (
        load(min_size=115),
        resize('short_edge', 'cv2', 'bilinear', size=115),
        crop('center', height=90, width=100),
    )
    other = Model(model.network, replace(model.contract, height=90, width=100, preparation=steps), 'other')
    good = [row for row in table('p.csv') if not row['error']]
    for row, prediction in zip(good[:3], other.predict([row['path'] for row in good[:3]])):
        assert np.float32(row['score']) == np.float32(prediction.score)


def test_images_below_the_threshold_are_sorted_apart(photos):
    run(options(copy_to='sorted', threshold=0.99))
    assert [path.name for path in (photos / 'sorted').iterdir()] == ['_unsure']
    assert len(list((photos / 'sorted' / '_unsure').iterdir())) == 8


@pytest.mark.parametrize('workers', [0, 2])
def test_addresses_are_downloaded(photos, workers, capsys):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with serving(partial(Quiet, directory=photos)) as server:
        addresses = tuple(f'{server.address}/photos/{name}.jpg' for name in (1, 'missing'))
        run(options(inputs=addresses, copy_to='sorted', out='a.csv', workers=workers))
    run(options(inputs=('photos/1.jpg',), out='b.csv'))
    first, second = table('a.csv')
    assert (first['label'], first['score']) == tuple(table('b.csv')[0][name] for name in ('label', 'score'))
    assert second['error'] == 'the server answers 404 File not found'
    (copied,) = (photos / 'sorted').rglob('*.jpg')
    assert copied.read_bytes() == (photos / 'photos' / '1.jpg').read_bytes()
    assert copied.parent.name in CLASSES


@pytest.mark.parametrize(
    ('changes', 'kind', 'message'),
    [
        (dict(inputs=('photos/3.jpg',)), InputError, 'the image cannot be used'),
        (dict(inputs=('photos/3.jpg', 'photos/4.jpg')), InputError, 'none of the 2 images can be used'),
        (dict(inputs=('empty',)), InputError, 'empty: expected images, found 1 .txt'),
        (dict(features=True), UsageError, '--features: expected --out FILE for them'),
        (dict(image_size='big'), UsageError, '--image-size big: expected H or HxW'),
        (dict(image_size=50), UsageError, '--image-size 50: expected at least 75 pixels'),
        (dict(out='none/such/p.txt'), InputError, 'expected a file ending in .csv'),
        (dict(out='photos/1.jpg/p.csv'), InputError, 'photos/1.jpg is not one'),
        (dict(copy_to='photos/1.jpg'), InputError, '--copy-to photos/1.jpg: expected a folder'),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else '',
)
def test_runs_that_cannot_be(photos, changes, kind, message):
    (photos / 'empty').mkdir()
    (photos / 'empty' / 'notes.txt').write_text('')
    with pytest.raises(kind, match=message):
        run(options(**changes))


def test_a_process_that_crashes_costs_its_image(photos, monkeypatch, model):
    prepare = stream._prepare

    def crash(pipeline, keep, image):
        if image[0].name.endswith('5.jpg'):
            os.abort()
        return prepare(pipeline, keep, image)

    monkeypatch.setattr(stream, '_prepare', crash)
    run(options(out='p.csv', workers=2))
    errors = {row['path']: row['error'] for row in table('p.csv') if row['error']}
    assert errors['photos/5.jpg'] == 'the decoder crashed (SIGABRT)'
    assert len(errors) == 3
