"""Finding, checking and setting aside the checkpoints of a work directory."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from mmengine.logging import print_log

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.opener import open_weights

# mmengine's file with the path of the last checkpoint.
LAST = 'last_checkpoint'
# Longer than any path; the rest of a larger file is not read.
_LONGEST_PATH = 4096

# Checkpoints with everything a run needs, and all that a run writes.
_RESUMABLE = re.compile(r'(epoch|iter)_\d+\.pth')
_WRITTEN = re.compile(r'(((best_.+_)?(epoch|iter))|nonfinite_iter)_\d+(-[0-9a-f]{8})?\.pth')


def list_checkpoints(work_dir: Path, folder: Path | None = None) -> list[Path]:
    """Return the checkpoints that a run can be resumed from, newest first.

    The one named in ``last_checkpoint`` comes first, then the others by modification time. Only the file name in
    ``last_checkpoint`` counts: the work directory may have been moved, or come from somebody else.

    Args:
        work_dir: The work directory.
        folder: Where the checkpoints are. Defaults to the work directory.
    """
    files = [path for path in (folder or work_dir).glob('*.pth') if path.is_file()]
    last = _last_name(work_dir)
    found = [path for path in files if path.name == last or _RESUMABLE.fullmatch(path.name)]
    return sorted(found, key=lambda path: (path.name == last, path.stat().st_mtime_ns), reverse=True)


def newest_whole_checkpoint(work_dir: Path, folder: Path | None = None) -> Path:
    """Return the newest checkpoint that is not damaged, with a warning for each newer one that is.

    Args:
        work_dir: The work directory.
        folder: Where the checkpoints are. Defaults to the work directory.

    Raises:
        InputError: If there is none.
    """
    damaged = []
    for path in list_checkpoints(work_dir, folder):
        damage = find_damage(path, keep=True)
        if damage is None:
            return path
        damaged.append(path.name)
        print_log(f'{path} is damaged ({damage}) and was skipped', logger='current', level=logging.WARNING)
    found = f'all there are damaged ({", ".join(damaged)})' if damaged else 'there is none'
    raise InputError(
        f'{work_dir}: --resume expects the checkpoint of an earlier run here, but {found}; '
        'name one with --resume FILE, or start without --resume'
    )


def find_damage(path: Path, keep: bool = False) -> str | None:
    """Return what is wrong with a checkpoint, or None. Reads the whole file and compares checksums.

    Args:
        path: The file.
        keep: Whether to keep an undamaged one in memory for the next that opens it. Defaults to False.
    """
    try:
        open_weights(path, keep=keep)
    except InputError as error:
        return ' '.join(str(error).split()).removeprefix(f'{path} ')
    return None


def set_aside_checkpoints(folder: Path, name: str) -> list[Path]:
    """Move the checkpoints that an earlier run left in a folder into a new subfolder.

    Args:
        folder: The folder. Files that no training run of ours writes stay where they are.
        name: Name of the subfolder.

    Returns:
        The checkpoints where they are now; empty if there were none.
    """
    earlier = sorted(path for path in folder.glob('*.pth') if _WRITTEN.fullmatch(path.name) and path.is_file())
    if earlier:
        (folder / name).mkdir(exist_ok=True)
    return [path.rename(folder / name / path.name) for path in earlier]


def _last_name(work_dir: Path) -> str | None:
    """Return the file name in ``last_checkpoint``, which may hold anything, or None if it cannot be read."""
    note = work_dir / LAST
    try:
        if not note.is_file():
            return None
        with note.open(errors='replace') as file:
            return Path(file.read(_LONGEST_PATH).strip()).name
    except OSError as error:
        print_log(f'{note} cannot be read ({error.strerror})', logger='current', level=logging.WARNING)
        return None
