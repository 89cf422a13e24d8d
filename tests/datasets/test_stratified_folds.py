"""Folds of a real dataset of files."""

from collections import Counter

import pytest

from mmpretrain_inception.datasets import StratifiedKFoldDataset
from mmpretrain_inception.errors import InputError

SIZES = dict(ant=20, bee=7, cat=3)


@pytest.fixture
def folder(tmp_path):
    for name, size in SIZES.items():
        (tmp_path / name).mkdir()
        for index in range(size):
            (tmp_path / name / f'{index}.png').write_bytes(b'')
    return str(tmp_path)


def own(path, kind='ImageFolder'):
    place = dict(ann_file=path) if kind == 'CsvImages' else dict(data_root=path)
    return dict(type=f'mmpretrain_inception.{kind}', **place)


def folds_of(dataset, number, **options):
    built = [
        StratifiedKFoldDataset(dataset, fold, number, test_mode=testing, **options)
        for fold in range(number)
        for testing in (False, True)
    ]
    paths = [[one.get_data_info(index)['img_path'] for index in range(len(one))] for one in built]
    return list(zip(paths[::2], paths[1::2]))


@pytest.mark.parametrize('seed', [None, 0, 1])
def test_each_fold_has_its_share_of_every_class(folder, seed):
    folds = folds_of(own(folder), 3, seed=seed)
    everything = sorted(path for _, tested in folds for path in tested)
    assert len(everything) == len(set(everything)) == 30
    for trained, tested in folds:
        assert sorted(trained + tested) == everything
        counts = Counter(path.split('/')[-2] for path in tested)
        assert all(abs(counts[name] - size / 3) < 1 for name, size in SIZES.items())


def test_the_seed_draws_the_folds(folder):
    def drawn(seed):
        return folds_of(own(folder), 3, seed=seed)

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)


def test_a_class_with_fewer_images_than_folds_is_refused(folder):
    with pytest.raises(InputError, match=r'--folds 4: expected at least 4 .* fewer of cat \(3\)$'):
        StratifiedKFoldDataset(own(folder), 0, 4, seed=0)


def test_several_labels_are_divided_without_regard_to_them(folder, tmp_path):
    rows = [f'ant/{index}.png,{"ant|six" if index % 2 else "ant"}' for index in range(10)]
    (tmp_path / 'labels.csv').write_text('\n'.join(['path,label', *rows]))
    folds = folds_of(own(str(tmp_path / 'labels.csv'), 'CsvImages'), 2, seed=0)
    assert [len(tested) for _, tested in folds] == [5, 5]
    assert not set(folds[0][1]) & set(folds[1][1])
