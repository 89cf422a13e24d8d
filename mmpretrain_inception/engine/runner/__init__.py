"""The Runner, its training loops, checkpoints and random seeds."""

from mmpretrain_inception.engine.runner.resumable_loop import IterationTrainLoop, ResumableTrainLoop
from mmpretrain_inception.engine.runner.resumable_runner import ResumableFlexibleRunner, ResumableRunner

__all__ = [
    'IterationTrainLoop',
    'ResumableFlexibleRunner',
    'ResumableRunner',
    'ResumableTrainLoop',
]
