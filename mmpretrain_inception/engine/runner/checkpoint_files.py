"""The checkpoints of a work directory, and which of them are whole."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from mmengine.logging import print_log

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.opener import open_weights

# mmengine's file that names the last one, and the names of those that hold all that a run needs.
LAST = 'last_checkpoint'
_CHECKPOINT = re.compile(r'(epoch|iter)_\d+\.pth')


def list_checkpoints(work_dir: Path, folder: Path | None = None) -> list[Path]:
    """Return the checkpoints that a run can be resumed from, the newest first.

    The one that ``last_checkpoint`` names comes first, the others by the time of their writing. Of what is written
    there only the last part of the path counts: a work directory may have been moved, or come from somebody else.

    Args:
        work_dir: The work directory.
        folder: Where its checkpoints are. Defaults to the work directory.
    """
    folder = folder or work_dir
    paths = [path for path in folder.glob('*.pth') if _CHECKPOINT.fullmatch(path.name) and path.is_file()]
    paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    note = work_dir / LAST
    last = folder / Path(note.read_text(errors='replace').strip()).name if note.is_file() else None
    if last is not None and last.suffix == '.pth' and last.is_file():
        paths = [last, *(path for path in paths if path != last)]
    return paths


def newest_whole_checkpoint(work_dir: Path, folder: Path | None = None) -> Path:
    """Return the newest checkpoint that can be read to its end, and warn of the newer ones that cannot.

    Args:
        work_dir: The work directory.
        folder: Where its checkpoints are. Defaults to the work directory.

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
        'name it by --resume FILE or start without --resume'
    )


def find_damage(path: Path, keep: bool = False) -> str | None:
    """Return what is wrong with a checkpoint, or None: it was read to its end and matches its checksums.

    Args:
        path: The file.
        keep: Whether a whole one is held for whoever opens it next, so that it is not read twice. Defaults to False.
    """
    try:
        open_weights(path, keep=keep)
    except InputError as error:
        return ' '.join(str(error).split()).removeprefix(f'{path} ')
    return None
