"""Find the checkpoint that a run resumes from."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.engine.runner.checkpoint_files import find_damage, list_checkpoints
from mmpretrain_inception.errors import InputError


def find_checkpoint(resume: str, work_dir: Path, cfg: Config) -> str:
    """Return the checkpoint for ``--resume``; the Runner finds the same one.

    Args:
        resume: A file or address, or ``auto`` for the newest intact checkpoint in the work directory.
        work_dir: The work directory.
        cfg: The config, whose checkpoint hook may save elsewhere.

    Raises:
        InputError: If there is none.
    """
    if resume != 'auto':
        return resume
    out_dir = get_at(cfg, 'default_hooks.checkpoint.out_dir')
    # As mmengine's hook joins them.
    folder = work_dir if out_dir is None else Path(out_dir) / work_dir.name
    found = list_checkpoints(work_dir, folder)
    if not found:
        raise InputError(
            f'{work_dir}: --resume expects a checkpoint of an earlier run here, but there is none; '
            'use --resume FILE, or start without --resume'
        )
    # The Runner warns about damaged ones, and stops if all are damaged.
    return str(next((path for path in found if find_damage(path) is None), found[0]))
