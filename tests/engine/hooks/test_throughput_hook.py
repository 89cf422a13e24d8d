from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub

from mmpretrain_inception.engine import ThroughputHook


def test_images_of_an_iteration_by_its_time():
    hub = MessageHub.get_instance('throughput')
    hub.update_scalar('train/time', 0.5)
    batch = {'inputs': torch.zeros(32, 3, 4, 4)}
    ThroughputHook().after_train_iter(SimpleNamespace(message_hub=hub), 0, batch)
    assert hub.get_scalar('train/images_per_s').current() == pytest.approx(64)
