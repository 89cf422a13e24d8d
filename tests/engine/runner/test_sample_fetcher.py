import pytest
from mmpretrain.structures import DataSample

from mmpretrain_inception.engine.runner.numbered_batches import NumberedBatch
from mmpretrain_inception.engine.runner.sample_fetcher import SampleFetcher
from mmpretrain_inception.errors import BrokenImageError
from mmpretrain_inception.utils.message_hub import BROKEN_IMAGES


class Images:
    def __init__(self, broken, noted=True):
        self.broken, self.noted = broken, noted

    def __len__(self):
        return 100

    def __getitem__(self, index):
        if index in self.broken:
            raise BrokenImageError(f'{index}.jpg', 'was cut short')
        return dict(inputs=index, data_samples=DataSample()) if self.noted else dict(inputs=index)


def fetch(images, key=(0, 0, 0, 0), replaces=True):
    fetcher = SampleFetcher(images)
    fetcher.replaces_broken = replaces
    return fetcher(NumberedBatch([3, 4], key))


def test_another_image_takes_the_place_of_a_broken_one_and_names_it():
    first, second = fetch(Images(broken={3}))
    assert first['inputs'] not in (3, 4)
    assert first['data_samples'].get(BROKEN_IMAGES) == ['3.jpg: was cut short']
    assert second['inputs'] == 4
    assert BROKEN_IMAGES not in second['data_samples']


def test_the_replacement_is_the_same_again_and_another_in_another_epoch():
    picks = [fetch(Images(broken={3}), key=(0, epoch, 0, 0))[0]['inputs'] for epoch in (0, 0, 1, 2)]
    assert picks[0] == picks[1]
    assert len(set(picks)) > 1


def test_a_replacement_that_is_broken_is_replaced_too():
    (first, _) = fetch(Images(broken=set(range(100)) - {4, 50, 60, 70}))
    assert first['inputs'] in (4, 50, 60, 70)
    assert len(first['data_samples'].get(BROKEN_IMAGES)) > 1


@pytest.mark.parametrize(
    ('images', 'replaces'),
    [
        (Images(broken={3}), False),
        (Images(broken=set(range(100)) - {4}), True),
        (Images(broken={3}, noted=False), True),
    ],
    ids=['not asked to', 'hardly any is left', 'nowhere to tell of it'],
)
def test_a_broken_image_stops_the_run(images, replaces):
    with pytest.raises(BrokenImageError, match=r'\d\.jpg: was cut short'):
        fetch(images, replaces=replaces)
