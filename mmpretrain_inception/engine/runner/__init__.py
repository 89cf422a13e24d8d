"""The Runner, its loop, its checkpoints and its seeds."""

from mmpretrain_inception.engine.runner.resumable_loop import ResumableTrainLoop
from mmpretrain_inception.engine.runner.resumable_runner import ResumableFlexibleRunner, ResumableRunner

__all__ = [
    'ResumableFlexibleRunner',
    'ResumableRunner',
    'ResumableTrainLoop',
]
