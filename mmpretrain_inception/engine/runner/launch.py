"""Starting the processes of a distributed run."""

from __future__ import annotations

from datetime import timedelta

import torch
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from torch import distributed

from mmpretrain_inception.errors import UsageError


def build_runner(cfg: Config) -> Runner:
    """Join the process group where mmengine cannot, and build the config's Runner.

    Args:
        cfg: A config with ``launcher`` set.

    Raises:
        UsageError: If the launcher does not work on this machine.
    """
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        _join_on_cpu(cfg.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
    return RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)


def _join_on_cpu(launcher: str, timeout: float | None) -> None:
    """Join a gloo group; mmengine 0.10.7 selects a GPU before it joins any group.

    It can go when mmengine's ``init_dist`` runs without a GPU.

    Args:
        launcher: What started the processes.
        timeout: Seconds that a process waits for the others. None: as torch has it, half an hour.
    """
    if launcher != 'pytorch':
        raise UsageError(
            f'--launcher {launcher} needs GPUs, but there is none; on CPUs start by torchrun, --launcher pytorch'
        )
    try:
        distributed.init_process_group('gloo', timeout=None if timeout is None else timedelta(seconds=timeout))
    except ValueError as error:
        raise UsageError(f'--launcher pytorch expects to be started by torchrun, but {error}') from error
