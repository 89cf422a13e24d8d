from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from mmpretrain_inception.engine import ThroughputHook

IMAGES = torch.zeros(32, 3, 4, 4)


@pytest.mark.parametrize('batch', [{'inputs': IMAGES}, {'inputs': list(IMAGES)}, (IMAGES, IMAGES)])
def test_images_of_an_iteration_by_its_time(batch):
    hub = MessageHub.get_instance('throughput')
    hub.update_scalar('train/time', 0.5)
    ThroughputHook().after_train_iter(SimpleNamespace(message_hub=hub), 0, batch)
    assert hub.get_scalar('train/images_per_s').current() == pytest.approx(64)


def test_without_a_time_or_images_nothing_is_logged():
    hub = MessageHub.get_instance('throughput without')
    ThroughputHook().after_train_iter(SimpleNamespace(message_hub=hub), 0, {'inputs': IMAGES})
    hub.update_scalar('train/time', 0.5)
    ThroughputHook().after_train_iter(SimpleNamespace(message_hub=hub), 0, None)
    assert 'train/images_per_s' not in hub.log_scalars
