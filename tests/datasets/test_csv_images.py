import re

import pytest

from mmpretrain_inception.datasets import CsvImages
from mmpretrain_inception.datasets.csv_table import read_table
from mmpretrain_inception.datasets.labels import labels_of
from mmpretrain_inception.errors import InputError

FILES = ('a.jpg', 'b/1 2.png', 'b/c,d.jpg', 'e.gif')


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


@pytest.fixture
def table(tmp_path):
    """Write a table beside four files, and return its path."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)

    def write(content):
        path = tmp_path / 'photos.csv'
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def rows(dataset, folder):
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [(info['img_path'].removeprefix(f'{folder}/'), info['gt_label']) for info in infos]


EXPECTED = [('a.jpg', 1), ('b/1 2.png', 0), ('b/c,d.jpg', 1)]
TABLES = {
    'plain': 'path,label\na.jpg,dog\nb/1 2.png,cat\n"b/c,d.jpg",dog\n',
    'other names': 'Image Path,width,Class-Name\na.jpg,3,dog\nb/1 2.png,3,cat\n"b/c,d.jpg",3,dog\n',
    'other order': 'label,filename\ndog,a.jpg\ncat,b/1 2.png\ndog,"b/c,d.jpg"\n',
    'no header': 'a.jpg,dog\nb/1 2.png,cat\n"b/c,d.jpg",dog\n',
    'semicolons': 'file;category\na.jpg;dog\nb/1 2.png;cat\nb/c,d.jpg;dog\n',
    'tabs': 'path\tlabel\na.jpg\tdog\nb/1 2.png\tcat\nb/c,d.jpg\tdog\n',
    'of a spreadsheet': '\ufeffpath,label\r\na.jpg, dog \r\n\r\nb/1 2.png,cat\r\n"b/c,d.jpg",dog\r\n',
}


@pytest.mark.parametrize('name', TABLES)
def test_tables_of_many_writers_are_read(table, tmp_path, name):
    dataset = CsvImages(table(TABLES[name]))
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    assert rows(dataset, tmp_path) == EXPECTED


def test_classes_number_the_labels_and_paths_may_be_absolute(table, tmp_path):
    dataset = CsvImages(table(f'path,label\n{tmp_path}/e.gif,cat\na.jpg,dog\n'), classes=['dog', 'bird', 'cat'])
    assert rows(dataset, tmp_path) == [('e.gif', 2), ('a.jpg', 0)]
    assert dataset.get_gt_labels().tolist() == [2, 0]


def test_numbers_are_names_of_classes(table):
    assert CsvImages(table('path,label\na.jpg,10\ne.gif,9\n')).metainfo['classes'] == ('10', '9')


SEVERAL = 'path,tags\na.jpg,cat|outdoor\nb/1 2.png,dog\ne.gif,\n"b/c,d.jpg",outdoor | cat\n'


def test_several_labels_are_lists_of_numbers(table, tmp_path):
    dataset = CsvImages(table(SEVERAL))
    assert dataset.metainfo['classes'] == ('cat', 'dog', 'outdoor')
    assert rows(dataset, tmp_path) == [('a.jpg', [0, 2]), ('b/1 2.png', [1]), ('e.gif', []), ('b/c,d.jpg', [0, 2])]
    assert [dataset.get_cat_ids(index) for index in range(4)] == [[0, 2], [1], [], [0, 2]]
    assert dataset.class_counts(dataset.list_files()).tolist() == [2, 1, 2]
    # So that a head for one label refuses them instead of taking numbers of sets for labels.
    assert labels_of(dataset).wrong == [[0, 2], [], [0, 2]]


SPLIT = 'path,label,set\na.jpg,cat,Training\nb/1 2.png,dog,valid\ne.gif,dog,TRAIN\n"b/c,d.jpg",cat,test\n'


def test_a_column_divides_the_rows(table, tmp_path):
    path = table(SPLIT)
    sides = {split: rows(CsvImages(path, split=split), tmp_path) for split in ('train', 'val', 'test', None)}
    assert sides['train'] == [('a.jpg', 0), ('e.gif', 1)]
    assert sides['val'] == [('b/1 2.png', 1)]
    assert sides['test'] == [('b/c,d.jpg', 0)]
    assert len(sides[None]) == 4


@pytest.mark.parametrize('several', [False, True])
def test_content_divides_rows_where_no_column_does(table, tmp_path, several):
    names = [f'{index}.jpg' for index in range(100)]
    for name in names:
        (tmp_path / name).write_text(name)
    path = table(
        'path,label\n' + ''.join(f'{name},{"x|y" if several else "xy"[i % 2]}\n' for i, name in enumerate(names))
    )
    train, val = (rows(CsvImages(path, split=split), tmp_path) for split in ('train', 'val'))
    assert 5 < len(val) < 40
    assert sorted(name for name, _ in train + val) == sorted(names)


def test_rows_for_training_are_divided_where_there_are_none_for_validation(table, tmp_path):
    path = table('path,label,split\na.jpg,x,train\ne.gif,x,train\nb/1 2.png,x,test\n')
    train, val = (rows(CsvImages(path, split=split, val_share=0.5), tmp_path) for split in ('train', 'val'))
    assert sorted(name for name, _ in train + val) == ['a.jpg', 'e.gif']
    assert len(train) == len(val) == 1


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', 'expected rows of path,label, got an empty file'),
        ('path,label\n', 'expected rows of path,label, got only the names of the columns'),
        ('a,b\n1,2\n', 'expected a first row path,label or path,label,split, got a, b\nother names for path: file'),
        ('path,image,label\na.jpg,b,c\n', 'expected one column for the path, got path and image; remove one'),
        ('path,label\na.jpg,cat\nb.jpg\n', 'line 3 has 1 of 2 cells'),
        ('path,label\na.jpg,cat\n,dog\n', 'line 3 has no path'),
        ('path,label\na.jpg,\ne.gif,cat\nx.gif,\n', 'lines 2, 4 have no label'),
        ('path,label,split\na.jpg,cat,train\ne.gif,cat,\n', 'line 3 has no split; expected train, val or test'),
        ('path,label,split\na.jpg,cat,holdout\n', 'line 2 has the split holdout; expected train, val or test'),
        (
            'path,label\na.jpg,cat\na.jpg,dog\n',
            'a.jpg is cat and dog (lines 2 and 3); an image with several labels has',
        ),
        ('path,label,split\na.jpg,cat,train\na.jpg,cat,val\n', 'a.jpg is train and val (lines 2 and 3)'),
        (b'\xff\xfep\0a\0', 'cannot be read: expected UTF-8 text, got something else; save it as UTF-8'),
        ('path,label\n"a.jpg,cat\n', 'line 2 has 1 of 2 cells'),
    ],
)
def test_tables_that_cannot_be_used(table, content, message):
    with pytest.raises(InputError, match=re.escape(f'photos.csv{"" if message[0] == "c" else ":"} {message}')):
        read_table(table(content))


@pytest.mark.parametrize(
    ('content', 'settings', 'message'),
    [
        ('path,label\na.jpg,cat\nx.jpg,cat\n', {}, '1 of 2 files are not there: x.jpg (line 3)\npaths are relative to'),
        (
            'path,label\na.jpg,cat\n',
            dict(classes=['dog', 'ant']),
            'the model knows the classes dog, ant, but the table',
        ),
        ('path,label,split\na.jpg,cat,train\n', dict(split='test'), 'expected rows for test, got none'),
    ],
)
def test_rows_that_cannot_be_used(table, content, settings, message):
    with pytest.raises(InputError, match=re.escape(message)):
        CsvImages(table(content), **settings)


def test_what_is_not_used_is_said(table):
    dataset = CsvImages(table(TABLES['other names']))
    assert dataset.remarks == ['columns not used: width']
