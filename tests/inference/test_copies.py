import os

import pytest

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference.copies import copy_to, safe_name


@pytest.mark.parametrize(
    ('label', 'expected'),
    [
        ('cat', 'cat'),
        ('../../etc', '_._.._etc'),
        ('..', '_.'),
        ('', '_'),
        ('a/b\\c', 'a_b_c'),
        ('a\0\nb', 'a__b'),
        ('.hidden', '_hidden'),
        ('Übermut', 'Übermut'),
        ('x' * 300, 'x' * 180),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_a_name_stays_in_its_folder(label, expected, tmp_path):
    assert safe_name(label) == expected
    target = copy_to(tmp_path / 'sorted', label, 'in/photo.jpg', b'1')
    assert target.read_bytes() == b'1'
    assert target.parent.parent == tmp_path / 'sorted'


def test_nothing_is_overwritten_and_equal_copies_are_used(tmp_path):
    for number, content in enumerate((b'1', b'2', b'2', b'1', b'3')):
        source = tmp_path / str(number) / 'photo.jpg'
        source.parent.mkdir()
        source.write_bytes(content)
        copy_to(tmp_path / 'sorted', 'cat', str(source))
    found = {path.name: path.read_bytes() for path in (tmp_path / 'sorted' / 'cat').iterdir()}
    assert found == {'photo.jpg': b'1', 'photo_2.jpg': b'2', 'photo_3.jpg': b'3'}


def test_links_lead_nowhere(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'sorted' / 'dog').mkdir(parents=True)
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'sorted' / 'cat')
    os.symlink(tmp_path / 'elsewhere' / 'new.jpg', tmp_path / 'sorted' / 'dog' / 'photo.jpg')
    with pytest.raises(InputError, match='cat is a link; expected a folder, or nothing'):
        copy_to(tmp_path / 'sorted', 'cat', 'photo.jpg', b'1')
    assert copy_to(tmp_path / 'sorted', 'dog', 'photo.jpg', b'1').name == 'photo_2.jpg'
    assert list((tmp_path / 'elsewhere').iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'--copy-to: .*file'):
        copy_to(tmp_path / 'file', 'cat', 'photo.jpg', b'1')
