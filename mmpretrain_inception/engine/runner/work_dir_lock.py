"""One training run at a time in a work directory."""

from __future__ import annotations

import getpass
import json
import logging
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.logging import print_log

from mmpretrain_inception.errors import InputError

# The lock itself, which the system releases when its owner dies, and who holds it, for the message of a second run.
_LOCK = '.training.lock'
_OWNER = '.training.json'


@contextmanager
def lock_work_dir(work_dir: str | Path) -> Iterator[None]:
    """Keep other training runs out of a work directory while the block runs.

    Two runs would overwrite each other's checkpoints. The main process of a run holds the lock for all of its
    processes. A run that was killed leaves no lock behind.

    Args:
        work_dir: The work directory. It has to exist.

    Raises:
        InputError: In all processes of the run, if another run holds the lock.
    """
    folder = Path(work_dir)
    lock = FileLock(folder / _LOCK)
    refusal: list[Any] = [None]
    if is_main_process():
        refusal[0] = _acquire(lock, folder)
    broadcast_object_list(refusal)
    try:
        if refusal[0] is not None:
            raise InputError(refusal[0])
        yield
    finally:
        if lock.is_locked:
            (folder / _OWNER).unlink(missing_ok=True)
            lock.release()


def _acquire(lock: FileLock, folder: Path) -> str | None:
    """Take the lock, or return why it cannot be taken."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return (
            f'{folder}: {_describe_owner(folder / _OWNER)} is training in this work directory\n'
            'wait for it, stop it, or choose another folder with --work-dir'
        )
    except (OSError, NotImplementedError) as error:
        # Some network file systems have no locks.
        print_log(f'{folder} cannot be locked ({error}): start no second run here', 'current', logging.WARNING)
        return None
    owner = dict(
        pid=os.getpid(),
        user=_user(),
        host=socket.gethostname(),
        started=time.strftime('%Y-%m-%d %H:%M:%S'),
        command=shlex.join(sys.argv),
    )
    # Only the message needs it; a full disk shows at the first checkpoint.
    with suppress(OSError):
        (folder / _OWNER).write_text(json.dumps(owner))
    return None


def _describe_owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text())
        named = {name: str(owner[name])[:100] for name in ('pid', 'user', 'host', 'started', 'command')}
    except (OSError, ValueError, KeyError, TypeError):
        # It has just started or is about to end.
        return 'another process'
    return 'process {pid} of {user} on {host} (since {started}: {command})'.format(**named)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container whose user has no name.
        return str(os.getuid())
