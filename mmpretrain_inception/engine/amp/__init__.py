"""Mixed precision."""

from mmpretrain_inception.engine.amp.bf16_optim_wrapper import BF16OptimWrapper
from mmpretrain_inception.engine.amp.bf16_test_loop import BF16TestLoop

__all__ = [
    'BF16OptimWrapper',
    'BF16TestLoop',
]
