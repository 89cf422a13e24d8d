"""Which process of a run speaks to the user."""

from __future__ import annotations

import os

from mmengine.dist import is_distributed, is_main_process

# How torchrun, Slurm and Open MPI number the processes that they start.
_RANKS = ('RANK', 'SLURM_PROCID', 'OMPI_COMM_WORLD_RANK')


def speaks() -> bool:
    """Return whether this process may write to the terminal: the first of those that were started together.

    Before the processes of a run have met, the numbers that their launcher gave them decide.
    """
    if is_distributed():
        return bool(is_main_process())
    return next((os.environ[name] for name in _RANKS if name in os.environ), '0') == '0'
