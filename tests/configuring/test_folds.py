import pytest
from mmengine.config import Config

from mmpretrain_inception.configuring.data_facts import DataFacts
from mmpretrain_inception.configuring.folder import FolderData
from mmpretrain_inception.configuring.folds import (
    check_folds,
    describe_folds,
    digest_of,
    summary_of_folds,
    table_of_folds,
    use_fold,
)
from mmpretrain_inception.configuring.options import TrainOptions
from mmpretrain_inception.errors import InputError, UsageError


def config(**changed):
    return Config(
        {
            'train_dataloader': dict(dataset=dict(type='CustomDataset', data_root='d', pipeline=['crop'])),
            'val_dataloader': dict(dataset=dict(type='CustomDataset', data_root='v', pipeline=['centre'])),
            'randomness': dict(seed=7),
            'work_dir': 'w',
            **changed,
        }
    )


def test_a_fold_is_validated_with_the_test_pipeline_and_the_others_are_trained_on():
    cfg = config()
    use_fold(cfg, 1, 4)
    train, tested = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    kind = 'mmpretrain_inception.StratifiedKFoldDataset'
    assert (train.type, train.fold, train.num_splits, train.test_mode, train.seed) == (kind, 1, 4, False, 7)
    assert (tested.type, tested.fold, tested.num_splits, tested.test_mode, tested.seed) == (kind, 1, 4, True, 7)
    assert (train.dataset.data_root, train.dataset.pipeline) == ('d', ['crop'])
    assert (tested.dataset.data_root, tested.dataset.pipeline) == ('d', ['centre'])


def test_a_wrapped_dataset_is_refused():
    repeated = dict(dataset=dict(type='RepeatDataset', times=2, dataset=dict(type='CustomDataset', pipeline=[])))
    with pytest.raises(InputError, match='--folds: expected a training dataset without wrappers'):
        use_fold(config(train_dataloader=repeated), 0, 2)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(folds=1), '--folds 1: expected a whole number of at least 2'),
        (dict(folds=3, no_validate=True), '--folds 3: each fold is validated; leave out --no-validate'),
        (dict(folds=3, resume='auto'), '--folds 3: to go on, give the same command again without --resume'),
    ],
)
def test_what_does_not_go_together(options, message):
    with pytest.raises(UsageError, match=message):
        check_folds(TrainOptions('c.py', **options))


def own_data(*counts, several=False):
    classes = tuple('abc')
    facts = DataFacts('d', classes, class_images=dict(train=counts), several_labels=several)
    return FolderData('d', {}, classes, facts)


def test_how_folds_are_drawn_is_said():
    assert describe_folds(3, own_data(3, 4, 0)).startswith('3 folds of the training images, each class in each fold')
    assert 'without regard to the labels' in describe_folds(3, own_data(1, 1, 1, several=True))


def test_a_class_that_would_be_absent_from_a_fold_is_refused():
    with pytest.raises(InputError) as error:
        describe_folds(3, own_data(3, 2, 1))
    message = '--folds 3: expected at least 3 training images of each class, got fewer of b (2), c (1)'
    assert str(error.value) == message


def test_settings_are_compared_without_what_belongs_to_one_run():
    assert digest_of(config()) == digest_of(config(work_dir='other', resume=True, load_from='a.pth'))
    assert digest_of(config()) != digest_of(config(randomness=dict(seed=8)))


FOLDS = [
    {'accuracy/top1': 50.0, 'loss': 1.0},
    {'accuracy/top1': 70.0, 'loss': 1.0},
    {'accuracy/top1': 60.0, 'loss': 1.0},
]


def test_the_table_has_mean_and_deviation():
    header, accuracy, loss = (line.split() for line in table_of_folds(FOLDS))
    assert header == ['fold', '1', 'fold', '2', 'fold', '3', 'mean', 'std']
    assert accuracy == ['accuracy/top1', '50', '70', '60', '60', '10']
    assert loss == ['loss', '1', '1', '1', '1', '0']
    summary = summary_of_folds(FOLDS)
    assert (summary['mean'], summary['std']) == ({'accuracy/top1': 60, 'loss': 1}, {'accuracy/top1': 10, 'loss': 0})
