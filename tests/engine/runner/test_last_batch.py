import math

import pytest
from mmengine.dataset import DefaultSampler, InfiniteSampler
from processes import in_processes
from torch.utils.data import DataLoader
from toy_run import Numbers, build

from mmpretrain_inception.engine.runner.last_batch import drop_single_image
from mmpretrain_inception.engine.runner.numbered_batches import number_batches
from mmpretrain_inception.errors import InputError


def loader_of(images, size, **settings):
    return DataLoader(list(range(images)), batch_size=size, **settings)


@pytest.mark.parametrize(
    ('images', 'size', 'settings', 'sizes'),
    [
        (21, 10, {}, [10, 10]),
        (3, 2, {}, [2]),
        (41, 10, dict(shuffle=True), [10, 10, 10, 10]),
        (20, 10, {}, [10, 10]),
        (22, 10, {}, [10, 10, 2]),
        (3, 1, {}, [1, 1, 1]),
        (21, 10, dict(drop_last=True), [10, 10]),
        (1, 1, {}, [1]),
    ],
)
def test_a_last_batch_of_one_image_is_dropped_and_no_other(images, size, settings, sizes):
    loader = drop_single_image(loader_of(images, size, **settings))
    assert [len(batch) for batch in loader] == sizes
    assert len(loader) == len(sizes)
    numbered, _ = number_batches(DataLoader(Numbers(), batch_sampler=loader.batch_sampler))
    assert len(numbered) == len(sizes)


def test_another_image_is_left_out_in_another_epoch():
    data = list(range(21))
    loader = drop_single_image(DataLoader(data, batch_size=10, sampler=DefaultSampler(data, shuffle=True, seed=0)))
    left_out = set()
    for epoch in range(5):
        loader.batch_sampler.sampler.set_epoch(epoch)
        left_out.add(*(set(data) - {int(index) for batch in loader for index in batch}))
    assert len(left_out) > 1


def test_batches_without_end_are_all_whole():
    data = list(range(3))
    loader = DataLoader(data, batch_size=2, sampler=InfiniteSampler(data, shuffle=False))
    assert drop_single_image(loader) is loader


@pytest.mark.parametrize(
    ('images', 'size', 'settings', 'message'),
    [
        (5, 10, dict(drop_last=True), r'at least one batch, got 5 images in batches of 10 with drop_last=True'),
        (1, 10, {}, r'at least two images, which batch norm needs, got 1 image in batches of 10'),
        (1, 2, dict(drop_last=True), r'at least one batch, got 1 image in batches of 2'),
    ],
)
def test_without_a_batch_it_is_an_error(images, size, settings, message):
    with pytest.raises(InputError, match=message):
        drop_single_image(loader_of(images, size, **settings))


class Seven(Numbers):
    def __len__(self):
        return 7


@pytest.mark.parametrize(
    ('loop', 'iterations'),
    [
        (dict(by_epoch=True, max_epochs=2), 6),
        (dict(type='EpochBasedTrainLoop', max_epochs=2), 6),
        (dict(by_epoch=False, max_iters=5), 5),
        (dict(type='mmengine.IterBasedTrainLoop', max_iters=5), 5),
    ],
)
def test_training_of_either_kind_drops_it_once_and_says_so_once(tmp_path, monkeypatch, loop, iterations):
    monkeypatch.setattr('time.sleep', lambda seconds: None)
    runner = build(tmp_path, loop=loop, by_epoch='max_epochs' in loop)
    runner._train_dataloader['dataset'] = Seven()
    runner.train()
    # Batch norm keeps the number of batches that it has seen.
    assert runner.model.layers[1].num_batches_tracked == iterations
    assert runner.max_iters == runner.iter == iterations
    logged = ''.join(path.read_text() for path in tmp_path.rglob('*.log'))
    assert logged.count('got 7 images in batches of 2; the last batch of each epoch has one image') == 1


@pytest.mark.parametrize('loop', [dict(by_epoch=True, max_epochs=2), dict(by_epoch=False, max_iters=5)])
def test_training_without_a_batch_is_an_error_and_writes_no_checkpoint(tmp_path, loop):
    runner = build(tmp_path, loop=loop)
    runner._train_dataloader.update(batch_size=20, drop_last=True)
    with pytest.raises(InputError, match='got 10 images in batches of 20'):
        runner.train()
    assert not list(tmp_path.glob('*.pth'))


def test_schedules_by_iteration_end_with_the_shorter_epochs(tmp_path):
    runner = build(tmp_path, epochs=2)
    runner._train_dataloader['dataset'] = Seven()
    runner.param_schedulers = [dict(type='CosineAnnealingLR', end=2, eta_min=0, convert_to_iter_based=True)]
    runner.train()
    assert runner.param_schedulers[0].end == 6
    # mmengine's schedules take their last step one before their end.
    expected = 0.1 * (1 + math.cos(math.pi * 5 / 6)) / 2
    assert runner.optim_wrapper.get_lr()['lr'] == pytest.approx([expected])


def test_epochs_that_never_end_are_an_error(tmp_path):
    runner = build(tmp_path)
    runner._train_dataloader['sampler'] = dict(type='InfiniteSampler')
    with pytest.raises(InputError, match='expected one whose epochs end, got InfiniteSampler'):
        runner.train()


def sizes_of(rank, images, size):
    data = list(range(images))
    loader = drop_single_image(DataLoader(data, batch_size=size, sampler=DefaultSampler(data, shuffle=True, seed=0)))
    return [len(batch) for batch in loader], len(loader)


def test_all_processes_drop_it_alike(tmp_path):
    """41 images are 21 for each of two processes, one of them twice."""
    assert in_processes(2, tmp_path, sizes_of, 41, 10) == 2 * [([10, 10], 2)]
