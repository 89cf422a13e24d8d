import os

import pytest

from mmpretrain_inception.utils.wording import list_some, printable


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('plain name.jpg', 'plain name.jpg'),
        ('Ünï 写真 📷.jpg', 'Ünï 写真 📷.jpg'),
        (os.fsdecode(b'caf\xe9.jpg'), r'caf\xe9.jpg'),
        (os.fsdecode(b'\xff\xfe'), r'\xff\xfe'),
        ('two\nlines\r\tand a tab', r'two\nlines\r\tand a tab'),
        ('\x1b[31mred\x07', r'\x1b[31mred\x07'),
        ('photo\u202egpj.exe', r'photo\u202egpj.exe'),
        ('\x85\u2028\ud800', r'\x85\u2028\ud800'),
        (7, '7'),
    ],
)
def test_names_become_one_line_that_every_stream_takes(name, expected):
    assert printable(name) == expected
    assert printable(name).encode()
    assert printable(printable(name)) == printable(name)


def test_lists_of_names_are_printable():
    assert list_some(['a', 'b\n', '\udcff', 'd', 'e']) == r'a, b\n, \xff and 2 more'
    assert list_some([1, 2], most=2) == '1, 2'
