import sys

import numpy as np
import pytest
import torch

from benchmarks.speed.machine import describe_machine, matrix_product, peak_memory
from benchmarks.speed.row_process import finished
from mmpretrain_inception.utils.processor import instruction_set, processor_name

CPU = torch.device('cpu')


@pytest.mark.skipif(sys.platform != 'linux', reason='only Linux tells the peak')
@pytest.mark.parametrize('megabytes', [50, 400])
def test_peak_memory_is_what_a_run_holds_at_most(megabytes):
    def run():
        held = np.ones(megabytes * 1_000_000, dtype=np.uint8)
        return held.sum()

    assert peak_memory(run, CPU) == pytest.approx(megabytes, abs=8)


def test_a_matrix_product_tells_its_multiply_adds(monkeypatch):
    monkeypatch.setattr('benchmarks.speed.machine._MATRIX_SIZE', 16)
    run, multiply_adds = matrix_product(torch.bfloat16, CPU)

    assert run().shape == (16, 16)
    assert multiply_adds == 16 * 16 * 16


def test_the_machine_is_described_by_its_threads_and_the_versions_that_count():
    description = describe_machine(CPU)

    assert description['threads'] == torch.get_num_threads()
    assert description['torch'] == torch.__version__.partition('+')[0] or description['torch'] == torch.__version__
    assert description['device'] == processor_name()
    assert description['instruction_set'] == instruction_set()


def test_a_gpu_is_named_and_tells_its_peak_and_is_waited_for(monkeypatch):
    gpu, calls, held = torch.device('cuda', 0), [], iter([3_000_000])
    answers = dict(
        get_device_name=lambda device: f'a card at {device}',
        reset_peak_memory_stats=lambda device: calls.append('reset'),
        memory_allocated=lambda device: next(held),
        max_memory_allocated=lambda device: 10_000_000,
        synchronize=lambda device: calls.append('wait'),
    )
    for name, answer in answers.items():
        monkeypatch.setattr(torch.cuda, name, answer)

    assert describe_machine(gpu)['device'] == 'a card at cuda:0'
    assert peak_memory(finished(lambda: calls.append('run'), gpu), gpu) == 7
    assert calls == ['reset', 'run', 'wait']
