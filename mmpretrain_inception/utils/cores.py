"""How many cores a process may use."""

from __future__ import annotations

import os
from pathlib import Path

# Of Linux's control groups, by which containers and schedulers limit a job: version 2 has quota and period in one file.
_QUOTA = Path('/sys/fs/cgroup/cpu.max')
_QUOTA_V1 = (Path('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'), Path('/sys/fs/cgroup/cpu/cpu.cfs_period_us'))


def available_cores() -> int:
    """Return the number of cores that this process may use: at least 1, and often fewer than the machine has.

    Counted are the cores to which the process is bound (taskset, Slurm) and the share of time that its control group
    leaves it (``docker run --cpus``, Kubernetes).
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    quota = _quota()
    return bound if quota is None else max(1, min(bound, round(quota)))


def cores_per_process() -> int:
    """Return how many of :func:`available_cores` each process of a run has: 0 if there are more processes."""
    return available_cores() // int(os.environ.get('LOCAL_WORLD_SIZE', '1'))


def _quota() -> float | None:
    """Return the share of time as a number of cores, or None without a limit."""
    try:
        quota, period = _QUOTA.read_text().split() if _QUOTA.exists() else (path.read_text() for path in _QUOTA_V1)
        # 'max' or, in version 1, -1 stand for no limit.
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError):
        return None
