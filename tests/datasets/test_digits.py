import cv2
import numpy as np
from sklearn.datasets import load_digits

from mmpretrain_inception.datasets import Digits
from mmpretrain_inception.datasets.digits import write_digits


def test_every_digit_is_written_once_and_without_loss(tmp_path):
    write_digits(tmp_path / 'digits')
    source = load_digits()
    files = sorted((tmp_path / 'digits').glob('*/*/*.png'), key=lambda file: file.name)
    assert [int(file.stem) for file in files] == list(range(1797))
    for file, pixels, digit in zip(files, source.images, source.target):
        assert file.parent.name == str(digit)
        written = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        assert np.array_equal(np.round(written * (16 / 255)), pixels)


def test_the_split_is_fixed_and_stratified(tmp_path):
    train, val = (Digits(str(tmp_path / 'digits'), split) for split in ('train', 'val'))
    assert (len(train), len(val)) == (1442, 355)
    counts = np.bincount(val.get_gt_labels())
    assert counts.min() >= 34
    assert counts.max() <= 36


def test_what_is_there_is_not_written_again(tmp_path):
    (tmp_path / 'digits').mkdir()
    write_digits(tmp_path / 'digits')
    assert list((tmp_path / 'digits').iterdir()) == []
