import os
import pickle
import re
import subprocess

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmpretrain.datasets import CustomDataset, KFoldDataset

from mmpretrain_inception.datasets import FileListDataset, ImageFolder, ImageNetFiles, folder_scan
from mmpretrain_inception.datasets.file_list import pack, path_at
from mmpretrain_inception.errors import InputError

FILES = (
    *('bee/2.jpg', 'bee/10.JPG', 'bee/deep/er/1.png', 'bee/readme.txt', 'bee/.hidden.jpg'),
    *('ant/a b.jpeg', 'ant/Ünïcode.jpg', 'cat/inner/1.jpg', 'cat/1.tif'),
)


@pytest.fixture
def folder(tmp_path):
    """Three classes, with folders and files that do not count."""
    for name in FILES:
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / 'images'


@pytest.fixture
def scans(monkeypatch):
    """Collect the classes whose folders were read."""
    read = []
    original = folder_scan.find_images

    def find_images(folder, name, extensions):
        read.append(name)
        return original(folder, name, extensions)

    monkeypatch.setattr(folder_scan, 'find_images', find_images)
    return read


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def test_paths_of_any_bytes_come_back():
    odd = os.fsdecode(b'odd\xff name.jpg')
    files = pack([(3, ['a/b.jpg', odd]), (1, []), (0, ['ü'])])
    assert [path_at(files, index) for index in (0, 1, 2, -1)] == ['a/b.jpg', odd, 'ü', 'ü']
    assert files.table[:, 2].tolist() == [3, 3, 0]


def test_the_list_is_mmpretrains(folder):
    assert infos(FileListDataset(str(folder))) == infos(CustomDataset(str(folder)))
    assert infos(FileListDataset(str(folder), with_label=False)) == infos(CustomDataset(str(folder), with_label=False))


@pytest.mark.parametrize('with_label', [True, False])
def test_the_list_of_an_annotation_file_is_mmpretrains(folder, tmp_path, with_label):
    lines = ['ant/a b.jpeg 7', 'bee/2.jpg 0'] if with_label else ['ant/a b.jpeg', 'bee/2.jpg']
    (tmp_path / 'list.txt').write_text('\n'.join(lines))
    settings = dict(data_root=str(folder), ann_file=str(tmp_path / 'list.txt'), with_label=with_label)
    assert infos(FileListDataset(**settings)) == infos(CustomDataset(**settings))


def test_imagenet_reads_its_list_or_its_folders(folder, tmp_path):
    (tmp_path / 'meta').mkdir()
    (tmp_path / 'meta/train.txt').write_text('n1/a.JPEG 999\n\n')
    (info,) = infos(ImageNetFiles(data_root=str(tmp_path), split='train'))
    assert info == dict(img_path=f'{tmp_path}/train/n1/a.JPEG', gt_label=999, sample_idx=0)
    with pytest.raises(InputError, match='expected 1000 folders, one for each class, got 3'):
        ImageNetFiles(data_root=str(folder))


@pytest.mark.parametrize('wrong', ['ant/1.jpg', '7', 'ant/1.jpg x', 'ant/1.jpg -1', '/etc/1.jpg 1', 'a/../../1.jpg 1'])
def test_lines_that_cannot_be_used(folder, tmp_path, wrong):
    (tmp_path / 'list.txt').write_text(f'ant/0.jpg 1\n{wrong}\n')
    with pytest.raises(InputError, match=r'list\.txt: line 2 is "\S+( \S+)?"(; expected a path|, which leads out)'):
        FileListDataset(str(folder), ann_file=str(tmp_path / 'list.txt'))


EXACT = [('ant/a b.jpeg', 7), ('bee/2.jpg', 0)]
LISTS = {
    'byte-order mark': b'\xef\xbb\xbfant/a b.jpeg 7\nbee/2.jpg 0\n',
    'two spaces': b'ant/a b.jpeg  7\nbee/2.jpg   0\n',
    'a tab': b'ant/a b.jpeg\t7\nbee/2.jpg \t 0\n',
    'line ends of Windows': b'ant/a b.jpeg 7\r\n\r\nbee/2.jpg 0\r\n',
    'spaces around': b'  ant/a b.jpeg 7  \n\tbee/2.jpg 0\t\n',
    'no last line end': b'ant/a b.jpeg 7\nbee/2.jpg 0',
    'all of them': b'\xef\xbb\xbf ant/a b.jpeg\t 7 \r\n \r\nbee/2.jpg  0\t\r\n',
}


def list_dataset(folder, content, **settings):
    (folder.parent / 'list.txt').write_bytes(content)
    return FileListDataset(data_root=str(folder), ann_file=str(folder.parent / 'list.txt'), **settings)


@pytest.mark.parametrize('name', LISTS)
def test_lists_of_every_editor_are_read(folder, name):
    found = infos(list_dataset(folder, LISTS[name]))
    assert [(os.path.relpath(info['img_path'], folder), info['gt_label']) for info in found] == EXACT


@pytest.mark.parametrize('name', LISTS)
def test_lists_without_labels_of_every_editor_are_read(folder, name):
    content = re.sub(rb'[ \t]+[07][ \t]*', b'', LISTS[name])
    found = infos(list_dataset(folder, content, with_label=False))
    assert [os.path.relpath(info['img_path'], folder) for info in found] == ['ant/a b.jpeg', 'bee/2.jpg']


@pytest.mark.parametrize('encoded', [b'caf\xe9.jpg', b'\xff\xfe\x01.jpg', 'Ünï.jpg'.encode(), b'\x85\xa0.jpg'])
def test_names_in_a_list_are_those_of_the_file_system(folder, encoded):
    path = os.path.join(os.fsencode(folder), b'ant', encoded)
    with open(path, 'wb'):
        pass
    (info,) = infos(list_dataset(folder, b'ant/' + encoded + b' 3\n'))
    assert os.fsencode(info['img_path']) == path
    assert os.path.exists(info['img_path'])


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('ant/1.jpg 1\n'.encode('utf-16'), r'list\.txt cannot be read: expected UTF-8 text, got UTF-16'),
        (b'ant/1.jpg 1\nant/\x002.jpg 1\n', r'list\.txt: line 2: expected text, got a zero byte'),
        (b'ant/1.jpg 1\rant/2.jpg 1\r', r'list\.txt: line 1: expected text, got a carriage return'),
        (b'ant/1.jpg 1\nant/2.jpg 12345678901234567890\n', r'is "ant/2.jpg 12345678901234567890"; expected a path'),
        (b'ant/1.jpg,1\n', r'line 1 is "ant/1.jpg,1"; expected a path'),
        (b'ant/\x1b[31m.jpg x\n', r'line 1 is "ant/\\x1b\[31m.jpg x"; expected a path'),
        (b'', r'list\.txt: expected one image per line, got an empty file'),
        (b'\xef\xbb\xbf\r\n \n', r'list\.txt: expected one image per line, got an empty file'),
    ],
)
def test_lists_that_cannot_be_used_are_refused_with_the_line(folder, content, message):
    with pytest.raises(InputError, match=message):
        list_dataset(folder, content)


def test_a_list_that_does_not_exist_is_named(folder):
    with pytest.raises(InputError, match=r'absent\.txt cannot be read: No such file or directory'):
        FileListDataset(str(folder), ann_file='absent.txt')


def test_a_file_of_class_names_is_read_like_a_list(folder, tmp_path):
    (tmp_path / 'classes.txt').write_bytes(b'\xef\xbb\xbfcat\r\nbee \r\n\r\nant')
    assert ImageFolder(str(folder), classes=str(tmp_path / 'classes.txt')).metainfo['classes'] == ('cat', 'bee', 'ant')


def test_a_class_whose_name_is_no_text_is_refused(folder):
    os.mkdir(os.path.join(os.fsencode(folder), b'caf\xe9'))
    with pytest.raises(InputError, match=r'the class name caf\\xe9 is not valid UTF-8; .* rename the folder'):
        ImageFolder(str(folder))


def test_classes_given_twice_are_refused(folder):
    with pytest.raises(InputError, match='classes: expected names that differ, got bee more than once'):
        ImageFolder(str(folder), classes=['ant', 'bee', 'cat', 'bee'])


@pytest.mark.parametrize('indices', [0, 2, 100, -2, [3, 0, 3], [], np.array([1, 4])])
def test_subsets_hold_what_was_asked_for(folder, indices):
    full = infos(ImageFolder(str(folder)))
    wanted = full[:indices] if isinstance(indices, int) and indices >= 0 else None
    wanted = full[indices:] if isinstance(indices, int) and indices < 0 else wanted
    wanted = [full[index] for index in indices] if wanted is None else wanted
    wanted = [dict(info, sample_idx=index) for index, info in enumerate(wanted)]
    dataset = ImageFolder(str(folder))
    assert infos(ImageFolder(str(folder), indices=indices)) == wanted
    assert infos(dataset.get_subset(indices)) == wanted
    assert len(dataset) == len(full)
    dataset.get_subset_(indices)
    assert infos(dataset) == wanted


def test_labels_come_at_once_and_for_wrappers_one_by_one(folder):
    dataset = ImageFolder(str(folder), classes=['cat', 'bee', 'ant'])
    assert dataset.get_gt_labels().tolist() == [info['gt_label'] for info in infos(dataset)] == [2, 2, 1, 1, 1, 0, 0]
    assert [dataset.get_cat_ids(index) for index in (0, -1)] == [[2], [0]]
    assert len(ClassBalancedDataset(dataset, oversample_thr=0.5)) >= 7
    assert RepeatDataset(dataset, times=2).get_data_info(8)['img_path'] == infos(dataset)[1]['img_path']
    assert len(ConcatDataset([dataset, dataset])) == 14
    settings = dict(type='mmpretrain_inception.ImageFolder', data_root=str(folder))
    assert len(KFoldDataset(settings, fold=0, num_splits=7)) == 6


def test_lazy_datasets_are_listed_when_they_are_first_asked(folder, scans):
    dataset = ImageFolder(str(folder), lazy_init=True)
    assert scans == []
    assert len(dataset) == 7
    assert len(scans) == 3


def test_a_pickled_dataset_is_the_same(folder):
    dataset = ImageFolder(str(folder))
    assert infos(pickle.loads(pickle.dumps(dataset))) == infos(dataset)


def test_every_start_reads_the_folders(folder, scans):
    first = infos(ImageFolder(str(folder)))
    (folder / 'ant/new.jpg').touch()
    assert len(infos(ImageFolder(str(folder)))) == len(first) + 1
    assert sorted(scans) == ['ant', 'ant', 'bee', 'bee', 'cat', 'cat']


def test_the_cache_dir_of_an_older_config_is_ignored_and_said(folder, tmp_path, warnings_logged):
    dataset = ImageFolder(str(folder), cache_dir=str(tmp_path / 'lists'))
    assert infos(dataset) == infos(ImageFolder(str(folder)))
    assert not (tmp_path / 'lists').exists()
    assert warnings_logged == ['ImageFolder: cache_dir is ignored; file lists are no longer kept between runs']


def test_a_linked_class_is_followed(folder, tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/1.jpg').touch()
    (folder / 'dog').symlink_to(tmp_path / 'elsewhere')
    (folder / 'bee/linked.jpg').symlink_to(tmp_path / 'elsewhere/1.jpg')
    assert len(ImageFolder(str(folder))) == 9
    (tmp_path / 'elsewhere/2.jpg').touch()
    assert len(ImageFolder(str(folder))) == 10


CHANGES = {
    'target of a link appears': lambda disk, folder: (disk / '7.jpg').touch(),
    'target of a linked folder appears': lambda disk, folder: ((disk / 'more').mkdir(), (disk / 'more/1.jpg').touch()),
    'target of a linked folder fills': lambda disk, folder: (disk / 'there/1.jpg').touch(),
    'file becomes a folder': lambda disk, folder: (
        (folder / 'ant/notes').unlink(),
        (folder / 'ant/notes').mkdir(),
        (folder / 'ant/notes/1.jpg').touch(),
    ),
}


@pytest.mark.parametrize('change', CHANGES)
def test_what_was_absent_at_the_first_start_is_found_at_the_second(folder, tmp_path, change):
    disk = tmp_path / 'disk'
    (disk / 'there').mkdir(parents=True)
    (folder / 'ant/7.jpg').symlink_to(disk / '7.jpg')
    (folder / 'ant/more').symlink_to(disk / 'more')
    (folder / 'ant/there').symlink_to(disk / 'there')
    (folder / 'ant/notes').touch()
    before = {info['img_path'] for info in infos(ImageFolder(str(folder)))}
    CHANGES[change](disk, folder)
    after = {info['img_path'] for info in infos(ImageFolder(str(folder)))}
    assert after == {str(path) for path in expected_paths(folder)}
    # A link to an image is listed from the beginning, so that a missing one is reported when it is loaded.
    assert len(after - before) == (change != 'target of a link appears')


def expected_paths(folder):
    for path, _, names in os.walk(folder, followlinks=True):
        for name in names:
            if name.lower().endswith(('.jpg', '.jpeg', '.png', '.tif')) and not name.startswith('.'):
                yield os.path.join(path, name)


def test_links_that_are_not_followed_are_named_in_one_line(folder, tmp_path, warnings_logged):
    (folder / 'ant/more').symlink_to(tmp_path / 'unmounted')
    (folder / 'bee/deep/up').symlink_to(folder / 'bee')
    (folder / 'bee/self').symlink_to('self')
    (folder / 'bee/.#lock').symlink_to('user@host')
    assert len(ImageFolder(str(folder))) == 7
    (message,) = warnings_logged
    assert message.startswith(f'{folder}: links not followed: ')
    assert sorted(message.partition('followed: ')[2].split(', ')) == [
        *('ant/more (to nothing)', 'bee/deep/up (to a folder above it)', 'bee/self (to nothing)')
    ]


def test_two_links_into_each_other_end(folder):
    (folder / 'ant/bee').symlink_to(folder / 'bee')
    (folder / 'bee/ant').symlink_to(folder / 'ant')
    paths = [os.path.relpath(info['img_path'], folder) for info in infos(ImageFolder(str(folder)))]
    assert sorted(paths) == sorted(set(paths))
    # ant, ant/bee, bee, bee/ant, cat
    assert len(paths) == 2 + 3 + 3 + 2 + 2


def test_a_class_that_is_a_link_to_nothing_is_refused(folder, tmp_path):
    (folder / 'cow').symlink_to(tmp_path / 'unmounted')
    message = f'{folder}/cow: expected a folder of images, got a link to {tmp_path}/unmounted, which does not exist'
    with pytest.raises(InputError, match=re.escape(message)):
        ImageFolder(str(folder))


@pytest.mark.parametrize('with_label', [True, False])
def test_a_folder_that_cannot_be_read_is_refused(folder, monkeypatch, with_label):
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith('deep'):
            raise PermissionError(13, 'Permission denied', path)
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(InputError, match=re.escape(f'{folder}/bee/deep: the folder cannot be read: Permission denied')):
        FileListDataset(str(folder), with_label=with_label)


def test_folders_nested_beyond_pythons_limit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(1500):
        os.mkdir('d')
        os.chdir('d')
    open('1.jpg', 'w').close()
    found = folder_scan.find_images(str(tmp_path), 'd', ('.jpg',))
    # pytest's own removal recurses.
    subprocess.run(['rm', '-rf', tmp_path / 'd'], check=True)
    assert found.paths == ['/'.join(['d'] * 1500 + ['1.jpg'])]


def test_a_folder_named_like_an_image_holds_images(folder):
    (folder / 'cat/x.jpg').mkdir()
    (folder / 'cat/x.jpg/1.png').touch()
    paths = [info['img_path'] for info in infos(ImageFolder(str(folder)))]
    assert str(folder / 'cat/x.jpg/1.png') in paths
    assert str(folder / 'cat/x.jpg') not in paths


@pytest.mark.parametrize('name', ['1.gif', '2.JFIF', '3.jpe', '4.webp', '5.pbm', '6.tiff'])
@pytest.mark.parametrize('dataset', [FileListDataset, ImageFolder])
def test_every_kind_that_is_decoded_is_listed(folder, dataset, name):
    (folder / 'ant' / name).touch()
    assert str(folder / 'ant' / name) in [info['img_path'] for info in infos(dataset(str(folder)))]


def test_classes_without_an_image_are_named(folder, warnings_logged):
    (folder / 'dog').mkdir()
    ImageFolder(str(folder), classes=['ant', 'bee', 'cat', 'dog', 'eel'])
    assert warnings_logged == [f'{folder}: no images of dog, eel']


def test_folders_without_an_image(tmp_path):
    (tmp_path / 'ant').mkdir()
    for dataset in (FileListDataset, ImageFolder):
        with pytest.raises(InputError, match=re.escape(f'{tmp_path}: expected images (.jpg .png .gif')):
            dataset(str(tmp_path))
