"""Hooks and the optimizer wrapper."""

from mmpretrain_inception.engine.bf16_optim_wrapper import BF16OptimWrapper
from mmpretrain_inception.engine.epoch_seed_hook import EpochSeedHook
from mmpretrain_inception.engine.fit_weights_hook import FitWeightsHook
from mmpretrain_inception.engine.label_check_hook import LabelCheckHook
from mmpretrain_inception.engine.plain_checkpoint_hook import PlainCheckpointHook
from mmpretrain_inception.engine.synced_ema_hook import SyncedEMAHook
from mmpretrain_inception.engine.throughput_hook import ThroughputHook

__all__ = [
    'BF16OptimWrapper',
    'EpochSeedHook',
    'FitWeightsHook',
    'LabelCheckHook',
    'PlainCheckpointHook',
    'SyncedEMAHook',
    'ThroughputHook',
]
