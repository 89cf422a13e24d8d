"""A long run takes no more memory than a short one."""

import gc
import os
from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from tiny_training import Net, Numbers
from torch.utils.data import DataLoader

from mmpretrain_inception.engine import ResumableRunner

ITERATIONS = 2000
WARM_UP = 1000
STATUS = Path('/proc/self/statm')


def resident():
    return int(STATUS.read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')


class MeasureHook(Hook):
    """Notes the memory in use, in bytes, and the number of objects after the warm-up and at the end."""

    priority = 'LOWEST'

    def __init__(self):
        self.counts = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 in (WARM_UP, ITERATIONS):
            gc.collect()
            self.counts.append((resident(), len(gc.get_objects())))


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason='Linux tells the memory in use there')
def test_two_thousand_iterations_through_all_hooks_leave_nothing_behind(tmp_path):
    torch.manual_seed(0)
    model, measure = Net(), MeasureHook()
    ours = ('PlainCheckpointHook', 'FitWeightsHook', 'ThroughputHook', 'FiniteLossHook', 'StopSignalHook')
    runner = ResumableRunner(
        model=model,
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(Numbers(length=200), batch_size=2, collate_fn=pseudo_collate),
        train_cfg=dict(by_epoch=True, max_epochs=ITERATIONS // 100),
        optim_wrapper=OptimWrapper(torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)),
        param_scheduler=dict(type='CosineAnnealingLR', T_max=ITERATIONS, by_epoch=False),
        default_hooks=dict(
            logger=dict(type='LoggerHook', interval=10),
            checkpoint=dict(type='CheckpointHook', interval=4, max_keep_ckpts=2),
            **{name: dict(type=f'mmpretrain_inception.{name}') for name in ours},
        ),
        custom_hooks=[dict(type='mmpretrain_inception.SyncedEMAHook', momentum=0.01, update_buffers=True), measure],
        visualizer=dict(type='mmpretrain.UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        experiment_name=tmp_path.name,
        log_level='WARNING',
    )
    runner.train()
    (early_memory, early_objects), (late_memory, late_objects) = measure.counts
    # mmengine keeps the last million values of each of ten numbers, 16 bytes a value.
    assert late_memory - early_memory < 4 * 2**20, measure.counts
    assert late_objects - early_objects < 100, measure.counts
