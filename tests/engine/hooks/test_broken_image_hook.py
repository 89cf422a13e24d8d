import logging
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub
from mmpretrain.structures import DataSample

from mmpretrain_inception.engine import BrokenImageHook
from mmpretrain_inception.engine.runner.sample_fetcher import SampleFetcher
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.message_hub import BROKEN_IMAGES


@pytest.fixture
def runner(tmp_path, request):
    dataset = SimpleNamespace(__len__=lambda: 0)
    dataset.__getitems__ = SampleFetcher(dataset)
    return SimpleNamespace(
        message_hub=MessageHub(request.node.name),
        work_dir=str(tmp_path),
        logger=logging.getLogger(request.node.name),
        train_dataloader=SimpleNamespace(dataset=dataset),
    )


def see(hook, runner, *broken, size=100, images=50_000):
    """Let the hook see a batch."""
    fetcher = runner.train_dataloader.dataset.__getitems__
    runner.train_dataloader.dataset = type('Images', (), {'__len__': lambda self: images})()
    runner.train_dataloader.dataset.__getitems__ = fetcher
    samples = [DataSample() for _ in range(size)]
    for sample, name in zip(samples, broken):
        sample.set_field([name], BROKEN_IMAGES, field_type='metainfo')
    hook.before_train_iter(runner, 0, dict(inputs=None, data_samples=samples))


def test_replacements_are_asked_for(runner):
    BrokenImageHook().before_train(runner)
    assert runner.train_dataloader.dataset.__getitems__.replaces_broken


def test_each_file_is_named_once_listed_and_counted(runner, tmp_path):
    warned = []
    runner.logger = SimpleNamespace(warning=warned.append)
    hook = BrokenImageHook()
    see(hook, runner, 'a.jpg: cut short', 'b.jpg: empty')
    see(hook, runner, 'b.jpg: empty')
    see(hook, runner, 'c.jpg: empty')
    assert warned == [f'{text}; replaced by another image' for text in open_list(tmp_path)]
    assert open_list(tmp_path) == ['a.jpg: cut short', 'b.jpg: empty', 'c.jpg: empty']
    assert runner.message_hub.get_scalar('train/broken_images').current() == 3


def open_list(folder):
    return (folder / 'broken_images.txt').read_text().splitlines()


@pytest.mark.parametrize(
    ('share', 'images', 'allowed'),
    # Of the first thousand images as of a thousand; of more as they are; never of more than the dataset has.
    [(0.01, 50_000, 10), (0.01, 200, 10), (0.02, 50_000, 20), (0, 50_000, 0)],
)
def test_more_than_the_share_stops_the_run_and_says_where_the_list_is(runner, tmp_path, share, images, allowed):
    hook = BrokenImageHook(max_share=share)
    for number in range(allowed):
        see(hook, runner, f'{number}.jpg: empty', size=10, images=images)
    with pytest.raises(InputError, match=rf'{allowed + 1} of \d+ images .*broken_images\.txt lists them'):
        see(hook, runner, 'last.jpg: empty', size=10, images=images)
    assert len(open_list(tmp_path)) == allowed + 1


def test_the_share_is_of_the_images_seen(runner):
    hook = BrokenImageHook()
    see(hook, runner, size=1900)
    see(hook, runner, *(f'{number}.jpg: empty' for number in range(20)), size=100)
    with pytest.raises(InputError, match='21 of 2001 images'):
        see(hook, runner, 'last.jpg: empty', size=1)
