"""Hooks and the optimizer wrapper."""

from mmpretrain_inception.engine.bf16_optim_wrapper import BF16OptimWrapper
from mmpretrain_inception.engine.bf16_test_loop import BF16TestLoop
from mmpretrain_inception.engine.broken_image_hook import BrokenImageHook
from mmpretrain_inception.engine.compile_hook import CompileHook
from mmpretrain_inception.engine.deploy_hook import DeployHook
from mmpretrain_inception.engine.finite_loss_hook import FiniteLossHook
from mmpretrain_inception.engine.fit_weights_hook import FitWeightsHook
from mmpretrain_inception.engine.fsdp_strategy import FSDPStrategy
from mmpretrain_inception.engine.label_check_hook import LabelCheckHook
from mmpretrain_inception.engine.plain_checkpoint_hook import PlainCheckpointHook
from mmpretrain_inception.engine.resumable_loop import ResumableTrainLoop
from mmpretrain_inception.engine.resumable_runner import ResumableFlexibleRunner, ResumableRunner
from mmpretrain_inception.engine.safe_checkpoint_hook import SafeCheckpointHook
from mmpretrain_inception.engine.skip_broken_hook import SkipBrokenHook
from mmpretrain_inception.engine.stop_signal_hook import StopSignalHook
from mmpretrain_inception.engine.synced_ema_hook import SyncedEMAHook
from mmpretrain_inception.engine.throughput_hook import ThroughputHook

__all__ = [
    'BF16OptimWrapper',
    'BF16TestLoop',
    'BrokenImageHook',
    'CompileHook',
    'DeployHook',
    'FSDPStrategy',
    'FiniteLossHook',
    'FitWeightsHook',
    'LabelCheckHook',
    'PlainCheckpointHook',
    'ResumableFlexibleRunner',
    'ResumableRunner',
    'ResumableTrainLoop',
    'SafeCheckpointHook',
    'SkipBrokenHook',
    'StopSignalHook',
    'SyncedEMAHook',
    'ThroughputHook',
]
