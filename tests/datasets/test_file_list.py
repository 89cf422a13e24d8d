import io
import os
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmpretrain.datasets import CustomDataset, KFoldDataset

from mmpretrain_inception.datasets import FileListDataset, ImageFolder, ImageNetFiles, file_list_cache, folder_scan
from mmpretrain_inception.datasets.file_list import pack, path_at
from mmpretrain_inception.errors import InputError

FILES = (
    *('bee/2.jpg', 'bee/10.JPG', 'bee/deep/er/1.png', 'bee/readme.txt', 'bee/.hidden.jpg'),
    *('ant/a b.jpeg', 'ant/Ünïcode.jpg', 'cat/.folder/1.jpg', 'cat/1.tif'),
)


@pytest.fixture
def folder(tmp_path):
    """Three classes, with folders and files that do not count; last changed an hour ago."""
    for name in FILES:
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / 'images'


@pytest.fixture
def settled(monkeypatch):
    """Let folders that have just been made count as settled."""
    monkeypatch.setattr(file_list_cache, '_UNSETTLED_NS', -(10**12))


@pytest.fixture
def scans(monkeypatch):
    """Collect the classes whose folders were read."""
    read = []
    original = folder_scan._list_class
    monkeypatch.setattr(folder_scan, '_list_class', lambda *args: read.append(args[-1]) or original(*args))
    return read


def infos(dataset):
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def dataset_of(folder, **settings):
    return ImageFolder(str(folder), cache_dir=str(folder.parent / 'lists'), **settings)


def cache_file(folder):
    (path,) = (folder.parent / 'lists').iterdir()
    return path


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
    with pytest.raises(InputError, match='1000 folders were expected, one a class, but there are 3'):
        ImageNetFiles(data_root=str(folder))


@pytest.mark.parametrize('wrong', ['ant/1.jpg', '7', 'ant/1.jpg x', 'ant/1.jpg -1', '/etc/1.jpg 1', 'a/../../1.jpg 1'])
def test_lines_that_cannot_be_used(folder, tmp_path, wrong):
    (tmp_path / 'list.txt').write_text(f'ant/0.jpg 1\n{wrong}\n')
    with pytest.raises(InputError, match=r'list\.txt: line 2 is "\S+( \S+)?", (but a path and|which leads out of)'):
        FileListDataset(str(folder), ann_file=str(tmp_path / 'list.txt'))


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


def test_a_pickled_dataset_is_the_same(folder, settled):
    dataset_of(folder)
    dataset = dataset_of(folder)
    assert infos(pickle.loads(pickle.dumps(dataset))) == infos(dataset)


def test_the_second_start_reads_no_folder(folder, settled, scans):
    first = infos(dataset_of(folder))
    assert sorted(scans) == ['ant', 'bee', 'cat']
    assert infos(dataset_of(folder)) == first
    assert len(scans) == 3
    assert infos(dataset_of(folder, classes=['cat', 'bee', 'ant'])) != first
    assert isinstance(dataset_of(folder).data_bytes.base, np.ndarray)


@pytest.mark.parametrize('change', ['add', 'add deep', 'remove', 'rename', 'new class', 'other extensions'])
def test_what_has_changed_is_read_again(folder, settled, change):
    before = infos(dataset_of(folder))
    settings = {}
    if change == 'add':
        (folder / 'ant/new.jpg').touch()
    elif change == 'add deep':
        (folder / 'bee/deep/er/2.png').touch()
    elif change == 'remove':
        (folder / 'ant/a b.jpeg').unlink()
    elif change == 'rename':
        (folder / 'ant/a b.jpeg').rename(folder / 'ant/b.jpeg')
    elif change == 'new class':
        (folder / 'dog').mkdir()
        (folder / 'dog/1.jpg').touch()
    else:
        settings = dict(extensions=('.tif',))
    after = infos(dataset_of(folder, **settings))
    assert after != before
    assert after == infos(ImageFolder(str(folder), **settings))


def test_a_folder_whose_time_was_set_back_is_read_again(folder, settled):
    dataset_of(folder)
    status = os.stat(folder / 'ant')
    (folder / 'ant/new.jpg').touch()
    os.utime(folder / 'ant', ns=(status.st_atime_ns, status.st_mtime_ns))
    assert len(dataset_of(folder)) == 8


def test_a_folder_that_has_only_just_changed_is_not_kept(folder):
    dataset_of(folder)
    assert not (folder.parent / 'lists').exists()


DAMAGES = {
    'empty': lambda content: b'',
    'half': lambda content: content[: len(content) // 2],
    'flipped name': lambda content: content.replace(b'readable', b'readible', 1),
    'no array': lambda content: b'\x80\x04N.' * 100,
    'other array': lambda content: npy(np.arange(9.0)),
    'short array': lambda content: npy(np.arange(2)),
    'wild counts': lambda content: npy(np.array([2**60, 2**60, 2**60, 0])),
}


def npy(array):

    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize('name', DAMAGES)
def test_a_damaged_cache_is_written_anew(folder, settled, scans, name):
    (folder / 'ant/readable.jpg').touch()
    first = infos(dataset_of(folder))
    path = cache_file(folder)
    whole = path.read_bytes()
    path.write_bytes(DAMAGES[name](whole))
    assert path.read_bytes() != whole
    assert infos(dataset_of(folder)) == first
    assert len(scans) == 6
    assert path.read_bytes() == whole


def test_no_pickle_is_read(folder, settled, tmp_path):
    class Hostile:
        def __reduce__(self):
            return open, (str(tmp_path / 'opened'), 'w')

    first = infos(dataset_of(folder))
    cache_file(folder).write_bytes(npy(np.array([Hostile()], object)))
    assert infos(dataset_of(folder)) == first
    assert not (tmp_path / 'opened').exists()


def test_a_cache_of_somebody_else_is_not_read(folder, settled, scans, monkeypatch):
    dataset_of(folder)
    monkeypatch.setattr(os, 'getuid', lambda: 12345)
    dataset_of(folder)
    assert len(scans) == 6


def test_a_cache_that_cannot_be_written_is_no_error(folder, settled):
    (folder.parent / 'lists').write_text('a file is in the way')
    assert len(dataset_of(folder)) == 7


def test_processes_that_start_together_leave_one_whole_list(folder, settled):
    with ThreadPoolExecutor(8) as pool:
        lists = list(pool.map(lambda _: infos(dataset_of(folder)), range(16)))
    assert all(one == lists[0] for one in lists)
    assert cache_file(folder).suffix == '.npy'
    assert infos(dataset_of(folder)) == lists[0]


def test_a_linked_class_is_followed(folder, tmp_path, settled):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/1.jpg').touch()
    (folder / 'dog').symlink_to(tmp_path / 'elsewhere')
    (folder / 'bee/linked.jpg').symlink_to(tmp_path / 'elsewhere/1.jpg')
    assert len(dataset_of(folder)) == 9
    (tmp_path / 'elsewhere/2.jpg').touch()
    assert len(dataset_of(folder)) == 10


def test_classes_without_an_image_are_named(folder, warnings_logged):
    (folder / 'dog').mkdir()
    ImageFolder(str(folder), classes=['ant', 'bee', 'cat', 'dog', 'eel'])
    assert warnings_logged == [f'{folder}: no image of dog, eel']


def test_folders_without_an_image(tmp_path):
    (tmp_path / 'ant').mkdir()
    for dataset in (FileListDataset, ImageFolder):
        with pytest.raises(InputError, match=re.escape(f'{tmp_path}: images (.bmp')):
            dataset(str(tmp_path))
