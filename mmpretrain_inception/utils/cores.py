"""The number of cores that a process may use."""

from __future__ import annotations

import os

from joblib import cpu_count


def available_cores() -> int:
    """Return the number of cores that this process may use: at least 1, and often fewer than the machine has.

    It respects CPU affinity (taskset, Slurm), the quota of a container (``docker run --cpus``, Kubernetes) and the
    variable ``LOKY_MAX_CPU_COUNT``.
    """
    return cpu_count()


def cores_per_process() -> int:
    """Return the share of :func:`available_cores` for each process of a run: 0 if there are more processes."""
    return available_cores() // int(os.environ.get('LOCAL_WORLD_SIZE', '1'))
