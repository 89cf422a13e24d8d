"""Starting the processes of a distributed run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.config import Config
from mmengine.runner import Runner
from torch import distributed, nn

from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.registry import MODELS, RUNNERS, resolve
from mmpretrain_inception.utils.gpu import count_gpus, has_gpu
from mmpretrain_inception.workarounds import selects_a_gpu


def build_runner(cfg: Config, *, testing: bool = False) -> Runner:
    """Prepare what mmengine leaves out, such as joining a process group on CPUs, and build the config's Runner.

    Args:
        cfg: A config with ``launcher`` set.
        testing: Whether the Runner only tests. It then dumps its config next to its log, and does not overwrite the
            training run's config in the work directory.

    Raises:
        InputError: If the config trains on CPUs with a normalisation that only GPUs synchronise.
        UsageError: If the launcher does not work on this machine, or starts more processes than it has GPUs.
        KeyError: If nobody has registered ``runner_type``.
    """
    if has_gpu():
        _refuse_to_share_gpus(cfg.launcher)
        _let_cublas_repeat_itself(cfg)
    elif cfg.launcher != 'none':
        if not testing:
            _refuse_synced_norm(cfg)
        if selects_a_gpu():
            _join_on_cpu(cfg.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout'))
    kind: Any = resolve(cfg.get('runner_type', 'Runner'), RUNNERS)
    if testing and kind is not None:
        kind = type(kind.__name__, (_DumpsBesideLog, kind), {})
        return kind.from_cfg(cfg)
    return RUNNERS.build(cfg)


def _refuse_to_share_gpus(launcher: str) -> None:
    """Refuse more processes than GPUs: mmengine gives each process of torchrun the GPU of its number."""
    processes, gpus = int(os.environ.get('LOCAL_WORLD_SIZE', '1')), count_gpus()
    if launcher == 'pytorch' and processes > gpus:
        raise UsageError(
            f'--launcher pytorch: expected a GPU for each process of this machine, got {processes} processes and '
            f'{gpus} GPU{"s" * (gpus != 1)}; start as many as there are GPUs'
        )


def _let_cublas_repeat_itself(cfg: Config) -> None:
    """Choose the memory of cuBLAS that repeats results, without which a deterministic run ends at its first product.

    PyTorch asks for this variable and does not set it. It has to be there before cuBLAS is used.
    """
    if (cfg.get('randomness') or {}).get('deterministic'):
        os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')


def _refuse_synced_norm(cfg: Config) -> None:
    """Refuse synchronised batch norm, which torch computes on GPUs only; a step would end in a traceback."""
    place = next(_synced_norms(cfg.get('model'), 'model'), None)
    if place is None and cfg.get('sync_bn'):
        place = 'sync_bn'
    if place:
        raise InputError(
            f"{place}: synchronised batch norm needs GPUs, got processes on CPUs; use type='BN', which computes the "
            "statistics of each process's images"
        )


def _synced_norms(settings: Any, place: str) -> Iterator[str]:
    """Yield where a model's config asks for synchronised batch norm."""
    if isinstance(settings, dict):
        kind = resolve(settings.get('type'), MODELS)
        # mmcv has a class of its own of that name.
        if kind is not None and kind.__name__ == nn.SyncBatchNorm.__name__:
            yield place
    parts = settings.items() if isinstance(settings, dict) else enumerate(settings or ())
    for key, part in parts:
        if isinstance(part, (dict, list, tuple)):
            yield from _synced_norms(part, f'{place}.{key}')


class _DumpsBesideLog(Runner if TYPE_CHECKING else object):  # type: ignore[misc]
    """A Runner that leaves the config in its work directory alone."""

    def dump_config(self) -> None:
        """Dump the config to the folder of this run's log."""
        self.cfg.dump(str(Path(self.log_dir, Path(self.cfg.filename or 'config.py').name)))


def _join_on_cpu(launcher: str, timeout: float | None) -> None:
    """Join a gloo group; mmengine 0.10.7 selects a GPU before it joins any group.

    It can be removed when mmengine's ``init_dist`` runs without a GPU.

    Args:
        launcher: What started the processes.
        timeout: Seconds that a process waits for the others. None: torch's default, half an hour.
    """
    if launcher != 'pytorch':
        raise UsageError(
            f'--launcher {launcher} needs GPUs, but there is none; on CPUs start by torchrun, --launcher pytorch'
        )
    try:
        distributed.init_process_group('gloo', timeout=None if timeout is None else timedelta(seconds=timeout))
    except ValueError as error:
        raise UsageError(f'--launcher pytorch expects to be started by torchrun, but {error}') from error
