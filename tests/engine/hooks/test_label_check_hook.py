from types import SimpleNamespace

import pytest
from mmpretrain.datasets import CustomDataset
from mmpretrain.models import LinearClsHead

from mmpretrain_inception import InceptionHead
from mmpretrain_inception.engine import LabelCheckHook


def runner_of(head, dataset):
    loader = SimpleNamespace(dataset=dataset)
    return SimpleNamespace(model=SimpleNamespace(head=head), test_dataloader=loader)


def test_too_few_classes_are_named_with_what_is_needed(image_folder):
    dataset = CustomDataset(str(image_folder / 'val'))
    with pytest.raises(ValueError, match=r'num_classes is 2, but .*val/? holds labels up to 2; set .*num_classes=3'):
        LabelCheckHook().before_test(runner_of(InceptionHead(2), dataset))


@pytest.mark.parametrize('head', [InceptionHead(3), InceptionHead(5), LinearClsHead(2, 8)])
def test_enough_classes_and_heads_of_others_pass(image_folder, head):
    LabelCheckHook().before_test(runner_of(head, CustomDataset(str(image_folder / 'val'))))


def test_datasets_without_single_labels_pass():
    LabelCheckHook().before_test(runner_of(InceptionHead(2), object()))
