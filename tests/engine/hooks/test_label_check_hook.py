import re
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmpretrain.datasets import CustomDataset, KFoldDataset, MultiLabelDataset
from mmpretrain.models import LinearClsHead
from torch.utils.data import ConcatDataset as TorchConcatDataset
from torch.utils.data import Subset

from mmpretrain_inception import InceptionHead
from mmpretrain_inception.datasets import ImageFolder
from mmpretrain_inception.engine import LabelCheckHook
from mmpretrain_inception.errors import InputError

PHASES = {
    'train': lambda hook, runner: hook.before_train(runner),
    'val': lambda hook, runner: hook.before_val(runner),
    'test': lambda hook, runner: hook.before_test(runner),
}


class Given(BaseDataset):
    """A dataset of given labels without images."""

    def __init__(self, labels, key='gt_label', **settings):
        self.labels = labels
        self.infos = [{'img_path': '1.jpg', key: label} for label in labels]
        super().__init__(serialize_data=False, **settings)

    def load_data_list(self):
        return [dict(info) for info in self.infos]

    def get_cat_ids(self, idx):
        return np.atleast_1d(self.infos[idx]['gt_label']).tolist()


def runner_of(head, dataset):
    loader = SimpleNamespace(dataset=dataset)
    loaders = {f'{phase}_dataloader': loader for phase in PHASES}
    return SimpleNamespace(model=SimpleNamespace(head=head), val_loop=None, **loaders)


def check(head, dataset, phase='test'):
    PHASES[phase](LabelCheckHook(), runner_of(head, dataset))


def test_too_few_classes_are_named_with_what_is_needed(image_folder):
    dataset = CustomDataset(str(image_folder / 'val'))
    with pytest.raises(ValueError, match=r'num_classes is 2, but .*val/? holds labels up to 2; set .*num_classes=3'):
        check(InceptionHead(2), dataset)


@pytest.mark.parametrize('head', [InceptionHead(3), InceptionHead(5), LinearClsHead(2, 8)])
def test_enough_classes_and_heads_of_others_pass(image_folder, head):
    check(head, CustomDataset(str(image_folder / 'val')))


def test_datasets_without_single_labels_pass():
    check(InceptionHead(2), object())


WRAPPERS = {
    'none': lambda dataset: dataset,
    'repeat': lambda dataset: RepeatDataset(dataset, times=3),
    'balance': lambda dataset: ClassBalancedDataset(dataset, oversample_thr=0.1),
    'join': lambda dataset: ConcatDataset([Given([0, 1]), dataset]),
    'fold': lambda dataset: KFoldDataset(dict(type=Given, labels=dataset.labels), fold=0, num_splits=2, test_mode=True),
    'select': lambda dataset: Subset(dataset, [0, 1]),
    'join by torch': lambda dataset: TorchConcatDataset([dataset, Given([0, 1])]),
    'select of joined': lambda dataset: Subset(ConcatDataset([dataset, dataset]), [0, 5]),
}


@pytest.mark.parametrize('phase', PHASES)
@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize(
    ('labels', 'message'),
    [
        ([2, 0, 1, 0], 'num_classes is 2, but .* holds labels up to 2; set model.head.num_classes=3 or more'),
        ([1, -1, 0, 0], 'expected labels from 0 to 1, but .* holds -1'),
    ],
)
def test_labels_that_the_head_cannot_have_are_found_in_wrappers(phase, wrapper, labels, message):
    wrapped = WRAPPERS[wrapper](Given(labels))
    with pytest.raises(InputError, match=message):
        check(InceptionHead(2), wrapped, phase)
    check(InceptionHead(2), WRAPPERS[wrapper](Given([1, 0, 1, 0])), phase)


def test_a_selection_is_judged_by_what_it_selects():
    dataset = Given([0, 7, 1])
    check(InceptionHead(2), Subset(dataset, [0, 2]))
    with pytest.raises(InputError, match='holds labels up to 7'):
        check(InceptionHead(2), Subset(dataset, [2, 1]))


@pytest.mark.parametrize('wrapper', ['none', 'repeat', 'join', 'select'])
@pytest.mark.parametrize(
    ('labels', 'named'),
    [
        ([[0, 2], []], '[0, 2]'),
        ([[0], [1], [], [0]], '[]'),
        ([np.array([0, 1]), 1], 'array([0, 1])'),
        ([0, [1, 0]], '[1, 0]'),
    ],
)
def test_several_labels_point_to_the_head_for_them(wrapper, labels, named):
    message = rf"one label for each image, .* holds {re.escape(named)}; .*type='MultiLabelLinearClsHead'"
    with pytest.raises(InputError, match=message):
        check(InceptionHead(3), WRAPPERS[wrapper](Given(labels)))


@pytest.mark.parametrize(('labels', 'named'), [([0, 0.5], '0.5'), (['ant', 'bee'], "'ant'"), ([0, None], 'None')])
def test_labels_that_are_no_integers_are_named(labels, named):
    with pytest.raises(InputError, match=rf'an integer, but the test dataset holds {named}$'):
        check(InceptionHead(3), Given(labels))


def test_a_list_of_one_label_and_scores_for_every_class_pass():
    check(InceptionHead(3), Given([[0], [2]]))
    check(InceptionHead(3), Given([[0.5, 0.5, 0.0]], key='gt_score'))


def test_mmpretrains_dataset_of_several_labels_is_found(tmp_path):
    (tmp_path / 'list.json').write_text(
        '{"metainfo": {"classes": ["a", "b", "c"]}, "data_list": [{"img_path": "1.jpg", "gt_label": [0, 2]}]}'
    )
    dataset = MultiLabelDataset(ann_file=str(tmp_path / 'list.json'))
    with pytest.raises(InputError, match=r'holds \[0, 2\]'):
        check(InceptionHead(3), dataset, 'train')


def test_validation_data_are_checked_before_training_and_once(image_folder):
    dataset = ImageFolder(str(image_folder), 'val')
    runner = runner_of(InceptionHead(2), Given([0, 1]))
    runner.val_loop, runner.val_dataloader = object(), SimpleNamespace(dataset=dataset)
    with pytest.raises(InputError, match='holds labels up to 2'):
        LabelCheckHook().before_train(runner)
    hook = LabelCheckHook()
    runner.val_dataloader.dataset = Given([0, 1])
    hook.before_train(runner)
    runner.val_dataloader.dataset.infos[0]['gt_label'] = 9
    hook.before_val(runner)
