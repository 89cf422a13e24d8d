import pytest
from tiny_model import write_checkpoint

from mmpretrain_inception.inference.load import load_model


@pytest.fixture(scope='module')
def checkpoint(narrow, tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp('model') / 'best_accuracy_top1_epoch_3.pth')


@pytest.fixture(scope='module')
def model(checkpoint):
    return load_model(checkpoint, device='cpu')
