import pytest
from PIL import Image, features

from mmpretrain_inception.datasets import image_kinds
from mmpretrain_inception.datasets.folder_scan import find_images, list_folders
from mmpretrain_inception.datasets.image_kinds import (
    FORMATS,
    IMAGE_EXTENSIONS,
    IMAGE_KINDS,
    LEFT_OUT,
    count_kinds,
    is_ignored_folder,
    is_image,
    kind_of,
    what_it_needs,
)


def test_every_format_of_pillow_is_an_image_or_left_out_for_a_reason():
    Image.init()
    assert set(Image.OPEN) <= {*IMAGE_KINDS, *LEFT_OUT}
    assert not set(IMAGE_KINDS) & set(LEFT_OUT)


def test_endings_are_pillows():
    Image.init()
    pillows = {(name, ending) for ending, name in Image.registered_extensions().items() if name in FORMATS}
    ours = {(name, ending) for name in FORMATS for ending in IMAGE_KINDS[name]}
    # Files of floats, which have no agreed range, and cameras' sequences.
    assert {ending for _, ending in pillows - ours} <= {'.pfm', '.heics', '.heifs'}
    # Pillow calls MPO a format of its own.
    assert {ending for _, ending in ours - pillows} <= {'.mpo'}


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        *((name, True) for name in ('a.jpg', 'x/B.JFIF', 'c.JpE', 'd.gif', 'e.AVIF', 'f.jp2', 'g.webp', 'h.tar.png')),
        *((name, False) for name in ('._a.jpg', 'x/.b.png', 'Thumbs.db', 'a.txt', 'jpg', 'a.jpg.txt', 'a.svg', '')),
    ],
)
def test_a_file_is_an_image_by_its_ending(name, expected):
    assert is_image(name) == expected


@pytest.mark.parametrize(
    'name', ['.git', '.ipynb_checkpoints', '__MACOSX', '__macosx', '@eaDir', 'lost+found', '$RECYCLE.BIN']
)
def test_hidden_folders_and_the_systems_are_neither_classes_nor_searched(tmp_path, name):
    for path in ('cat/1.jpg', f'{name}/2.jpg', f'cat/{name}/3.jpg'):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert is_ignored_folder(name)
    assert list_folders(str(tmp_path)) == ['cat']
    assert find_images(str(tmp_path), '', IMAGE_EXTENSIONS).paths == ['cat/1.jpg']


def test_what_is_not_used_is_counted_by_kind(tmp_path):
    for name in ('a.jpg', 'b.TXT', 'deep/c.txt', '.DS_Store', '._a.jpg', 'Thumbs.db', 'README', 'd.svg'):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = find_images(str(tmp_path), '', IMAGE_EXTENSIONS)
    assert found.paths == ['a.jpg']
    assert found.unused == {'.txt': 2, 'hidden': 2, '.db': 1, 'without an ending': 1, '.svg': 1}
    assert count_kinds(found.unused) == '2 .txt, 2 hidden, 1 .db, 1 .svg, 1 without an ending'
    assert kind_of('x/y.HEIC') == '.heic'
    assert count_kinds({f'.{letter}': 1 for letter in 'abcdefghijkl'}).endswith('1 .j, 2 of other kinds')


def test_a_format_that_is_not_installed_is_no_image_and_says_what_it_needs(monkeypatch):
    monkeypatch.setattr(image_kinds, 'FORMATS', tuple(set(FORMATS) - {'HEIF'}))
    assert what_it_needs('.heic') == 'pip install pillow-heif'
    assert count_kinds({'.heic': 3}) == '3 .heic (to read them: pip install pillow-heif)'
    assert what_it_needs('.txt') == what_it_needs('.jpg') == ''


@pytest.mark.parametrize(('known', 'asked'), [(True, ['avif']), (False, [])], ids=['Pillow 11.3', 'older'])
def test_only_the_decoder_is_looked_for(monkeypatch, known, asked):
    """Looking for all of Pillow's features imports Tk, about which it warns on a server without a display."""
    imported = []
    monkeypatch.setattr(features, 'check_module', lambda name: imported.append(name) or True)
    monkeypatch.setattr(features, 'modules', {'tkinter': (), **({'avif': ()} if known else {})})
    assert image_kinds._NEEDED['AVIF'][0]() is known
    assert imported == asked
