"""Hooks of the Runner."""

from mmpretrain_inception.engine.hooks.broken_image_hook import BrokenImageHook
from mmpretrain_inception.engine.hooks.class_weight_hook import ClassWeightHook
from mmpretrain_inception.engine.hooks.compile_hook import CompileHook
from mmpretrain_inception.engine.hooks.contract_hook import ContractHook
from mmpretrain_inception.engine.hooks.deploy_hook import DeployHook
from mmpretrain_inception.engine.hooks.early_stop_hook import EarlyStopHook
from mmpretrain_inception.engine.hooks.finite_loss_hook import FiniteLossHook
from mmpretrain_inception.engine.hooks.fit_weights_hook import FitWeightsHook
from mmpretrain_inception.engine.hooks.label_check_hook import LabelCheckHook
from mmpretrain_inception.engine.hooks.plain_checkpoint_hook import PlainCheckpointHook
from mmpretrain_inception.engine.hooks.prediction_image_hook import PredictionImageHook
from mmpretrain_inception.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmpretrain_inception.engine.hooks.skip_broken_hook import SkipBrokenHook
from mmpretrain_inception.engine.hooks.stop_signal_hook import StopSignalHook
from mmpretrain_inception.engine.hooks.synced_ema_hook import SyncedEMAHook
from mmpretrain_inception.engine.hooks.throughput_hook import ThroughputHook

__all__ = [
    'BrokenImageHook',
    'ClassWeightHook',
    'CompileHook',
    'ContractHook',
    'DeployHook',
    'EarlyStopHook',
    'FiniteLossHook',
    'FitWeightsHook',
    'LabelCheckHook',
    'PlainCheckpointHook',
    'PredictionImageHook',
    'SafeCheckpointHook',
    'SkipBrokenHook',
    'StopSignalHook',
    'SyncedEMAHook',
    'ThroughputHook',
]
