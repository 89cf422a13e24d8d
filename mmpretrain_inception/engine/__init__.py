"""Hooks, Runner, mixed precision and sharded training."""

from mmpretrain_inception.engine.amp import BF16OptimWrapper, BF16TestLoop
from mmpretrain_inception.engine.hooks import (
    BrokenImageHook,
    CompileHook,
    ContractHook,
    DeployHook,
    FiniteLossHook,
    FitWeightsHook,
    LabelCheckHook,
    PlainCheckpointHook,
    PredictionImageHook,
    SafeCheckpointHook,
    SkipBrokenHook,
    StopSignalHook,
    SyncedEMAHook,
    ThroughputHook,
)
from mmpretrain_inception.engine.runner import (
    IterationTrainLoop,
    ResumableFlexibleRunner,
    ResumableRunner,
    ResumableTrainLoop,
)
from mmpretrain_inception.engine.sharding import FSDPStrategy

__all__ = [
    'BF16OptimWrapper',
    'BF16TestLoop',
    'BrokenImageHook',
    'CompileHook',
    'ContractHook',
    'DeployHook',
    'FSDPStrategy',
    'FiniteLossHook',
    'FitWeightsHook',
    'IterationTrainLoop',
    'LabelCheckHook',
    'PlainCheckpointHook',
    'PredictionImageHook',
    'ResumableFlexibleRunner',
    'ResumableRunner',
    'ResumableTrainLoop',
    'SafeCheckpointHook',
    'SkipBrokenHook',
    'StopSignalHook',
    'SyncedEMAHook',
    'ThroughputHook',
]
