import pytest
import torch

from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.utils import gpu


@pytest.fixture
def two_gpus(monkeypatch):
    """Pretend that there are two GPUs, of a kind that only emulates bfloat16."""
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: including_emulation)


def test_gpus_are_those_of_torch(two_gpus):
    assert (gpu.has_gpu(), gpu.count_gpus()) == (True, 2)


def test_emulated_bfloat16_does_not_count(two_gpus):
    assert not gpu.gpu_has_native_bf16()
    assert (Machine.here().cuda, Machine.here().bf16) == (True, False)


def test_the_processor_is_not_asked_where_there_is_a_gpu(two_gpus, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: True)
    monkeypatch.setattr('mmpretrain_inception.configuring.machine.has_native_bf16', lambda: False)
    assert (Machine.here().bf16, Machine.here().processor_bf16) == (True, False)
