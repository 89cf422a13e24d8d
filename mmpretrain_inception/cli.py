"""How every command-line tool ends."""

from __future__ import annotations

import errno
import logging
import re
import sys
from collections.abc import Callable
from typing import NoReturn

from mmengine.logging import print_log

from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.utils.streams import keep_streams_open

# A full disk, a quota, a limit on the size of files.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# Errors of torch that the user can mend: type, pattern of the message, advice.
_KNOWN: tuple[tuple[type[Exception], re.Pattern[str], str], ...] = (
    (
        RuntimeError,
        re.compile(r'DataLoader worker \(pid.*?\) (is killed by signal: [\w ]+|exited unexpectedly)'),
        'often the machine is out of memory; use fewer workers (train_dataloader.num_workers), a smaller batch, '
        'or more shared memory (docker run --shm-size)',
    ),
    (
        ValueError,
        re.compile(r'Expected more than 1 value per channel when training, got input size [^\n]*'),
        'batch norm cannot train on one image at this size; use a batch of two or more, larger images, or '
        'model.backbone.norm_eval=True',
    ),
)


def run_tool(main: Callable[[], None]) -> NoReturn:
    """Run a tool and exit with its status: 0 for success, 1 for a failed run, 2 for a wrong call.

    Mistakes of the user are printed in one or two lines; bugs keep their traceback. A run that a signal stopped exits
    with the status of that signal: 143 after SIGTERM, 130 after SIGINT, 129 after SIGHUP.

    A tool goes on when its output is closed (``| head -1``), since its files and its status still count.

    Args:
        main: The tool's body.
    """
    keep_streams_open(_log_loss)
    try:
        main()
    except UsageError as error:
        exit_with(2, error)
    except InputError as error:
        exit_with(1, error)
    except FileNotFoundError as error:
        # mmpretrain's datasets raise it when the data of a config is missing.
        named = f'{error.filename}: no such file or folder'
        exit_with(1, InputError(named if error.filename else str(error)))
    except OSError as error:
        if error.errno not in _FULL:
            raise
        exit_with(1, InputError(f'{error.filename or "a file"} cannot be written: {error.strerror}'))
    except (RuntimeError, ValueError) as error:
        advice = advise(error)
        if advice is None:
            raise
        exit_with(1, InputError(advice))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _log_loss(stream: str) -> None:
    print_log(f'{stream} was closed; only the log file goes on', logger='current', level=logging.WARNING)


def exit_with(status: int, error: Exception) -> NoReturn:
    """Print the message of ``error`` to standard error and exit."""
    print(f'error: {_message(error)}', file=sys.stderr)
    sys.exit(status)


def advise(error: Exception) -> str | None:
    """Return what to tell the user about an error of torch's that is not a bug, or None if it is one."""
    for kind, pattern, advice in _KNOWN:
        found = pattern.search(str(error)) if isinstance(error, kind) else None
        if found:
            return f'{found[0].strip()}\n{advice}'
    return None


def _message(error: Exception) -> str:
    message = str(error).strip()
    if 'Original Traceback' in message:
        # A data loader's worker passes its traceback on as the message; its last line is the actual message.
        message = message.splitlines()[-1].partition(': ')[2]
    return message
