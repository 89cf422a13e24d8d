import io
import sys
import tarfile
import zipfile
from types import SimpleNamespace

import pytest
from tiny_model import encoded, picture

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference import archives
from mmpretrain_inception.inference.listing import Listing, Unreadable

JPEG = encoded(picture(size=(20, 20)), 'JPEG')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder as people have them, which is the current one."""
    files = ['a/1.jpg', 'a/2.JPEG', 'a/b/3.png', 'a/notes.txt', 'a/.hidden.jpg', '__MACOSX/4.jpg', 'c d/[5].gif']
    for name in files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(JPEG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*inputs):
    listing = Listing(inputs)
    found = [entry.name for entry in listing.entries()]
    assert listing.count == len(found)
    return found


@pytest.mark.parametrize(
    ('inputs', 'expected'),
    [
        (['a'], ['a/1.jpg', 'a/2.JPEG', 'a/b/3.png']),
        (['.'], ['./a/1.jpg', './a/2.JPEG', './a/b/3.png', './c d/[5].gif']),
        (['a/1.jpg', 'a/notes.txt'], ['a/1.jpg', 'a/notes.txt']),
        (['a/*.jp*g', 'a/*.JPEG'], ['a/1.jpg', 'a/2.JPEG']),
        (['a/**/*.png'], ['a/b/3.png']),
        (['c d/[5].gif'], ['c d/[5].gif']),
        (['@list.txt'], ['a/1.jpg', 'missing.jpg', 'c d/[5].gif', 'https://host/x.jpg']),
        (['-'], ['a/2.JPEG', 'a/1.jpg']),
        (['https://host/x.jpg?size=1'], ['https://host/x.jpg?size=1']),
    ],
    ids=lambda value: ' '.join(value) if len(value) < 3 else '',
)
def test_inputs_name_images(folder, monkeypatch, inputs, expected):
    (folder / 'list.txt').write_text('a/1.jpg\r\n\nmissing.jpg\nc d/[5].gif\nhttps://host/x.jpg\n')
    monkeypatch.setattr(sys, 'stdin', SimpleNamespace(buffer=io.BytesIO(b'a/2.JPEG\n\na/1.jpg\n')))
    assert names(*inputs) == expected


@pytest.mark.parametrize(
    ('given', 'message'),
    [
        ('typo.jpg', 'typo.jpg: expected a file, folder, pattern, @LIST, - or address; there is no such file'),
        ('*.tiff', 'expected a pattern that fits files, got one that fits none'),
        ('@typo.txt', 'typo.txt cannot be read: No such file'),
    ],
)
def test_an_input_that_names_nothing_is_refused(folder, given, message):
    with pytest.raises(InputError, match=message.replace('*', r'\*')):
        Listing([given])


def test_what_is_not_used_is_counted_and_names_have_a_digest(folder):
    listing = Listing(['a'])
    assert listing.unused == {'.txt': 1, 'hidden': 1}
    assert listing.digest == Listing(['a/1.jpg', 'a/2.JPEG', 'a/b/3.png']).digest
    assert listing.digest != Listing(['a/b', 'a/1.jpg', 'a/2.JPEG']).digest
    assert [entry.name for entry in listing.entries(2)] == ['a/b/3.png']


MEMBERS = {
    './in/1.jpg': JPEG,
    '../../out.jpg': JPEG,
    '/etc/root.jpg': JPEG,
    'readme.txt': b'text',
    '__MACOSX/in/._1.jpg': JPEG,
    'in/broken.png': b'',
}
USED = ['./in/1.jpg', '../../out.jpg', '/etc/root.jpg', 'in/broken.png']


def write_zip(path):
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)


def write_tar(path, mode='w:gz'):
    with tarfile.open(path, mode) as archive:
        for name, content in MEMBERS.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for kind, name in ((tarfile.SYMTYPE, 'link.jpg'), (tarfile.FIFOTYPE, 'pipe.jpg'), (tarfile.DIRTYPE, 'd.jpg')):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, '/etc/passwd'
            archive.addfile(info)


@pytest.mark.parametrize(('name', 'write'), [('x.zip', write_zip), ('x.tgz', write_tar)])
def test_archives_are_read_without_extraction(folder, name, write):
    write(name)
    before = sorted(folder.rglob('*'))
    # Twice, and from the middle on.
    listing = Listing([name, name, 'a/1.jpg'])
    assert [entry.name for entry in listing.entries()] == [*(f'{name}/{used}' for used in USED)] * 2 + ['a/1.jpg']
    for start in range(listing.count):
        samples = [sample for _, sample in listing.samples(start)]
        expected = [*[JPEG, JPEG, JPEG, b''] * 2, None][start:]
        assert [sample.get('img_bytes') for sample in samples] == expected
    assert sorted(folder.rglob('*')) == before


@pytest.mark.parametrize(('name', 'write'), [('x.zip', write_zip), ('x.tgz', write_tar)])
def test_a_member_that_is_larger_than_any_image_is_not_read(folder, monkeypatch, name, write):
    write(name)
    monkeypatch.setattr(archives, 'largest_file', lambda pixels: 100)
    found = [sample for _, sample in Listing([name]).samples()]
    assert found[:3] == [Unreadable('expected at most 100 bytes, got more')] * 3
    assert found[3]['img_bytes'] == b''


@pytest.mark.parametrize('name', ['x.zip', 'x.tar'])
def test_a_damaged_archive_is_named(folder, name):
    (folder / name).write_bytes(b'no archive')
    with pytest.raises(InputError, match=f'{name}: the archive cannot be read'):
        Listing([name])


def test_an_archive_that_has_changed_is_noticed(folder):
    write_zip('x.zip')
    listing = Listing(['x.zip'])
    with zipfile.ZipFile('x.zip', 'w') as archive:
        archive.writestr('other.jpg', JPEG)
    assert [sample for _, sample in listing.samples()][1:] == [Unreadable('it is no longer in the archive')] * 3
