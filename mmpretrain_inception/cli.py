"""What all command-line tools share: the way they end."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable
from typing import NoReturn

from mmpretrain_inception.errors import InputError, UsageError

# A full disk, a quota, a limit on the size of files.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run_tool(main: Callable[[], None]) -> NoReturn:
    """Run a tool and exit with its status: 0 for success, 1 for a failed run, 2 for a wrong call.

    What the user has to mend is printed in one or two lines; a bug keeps its traceback. A run that a signal stopped
    passes its own status on: 143 after SIGTERM, 130 after SIGINT.

    Args:
        main: The tool's body.
    """
    try:
        main()
    except UsageError as error:
        exit_with(2, error)
    except InputError as error:
        exit_with(1, error)
    except FileNotFoundError as error:
        # mmpretrain's datasets raise it where the data of a config is not there.
        named = f'{error.filename}: a file or folder was expected here, but there is none'
        exit_with(1, InputError(named if error.filename else str(error)))
    except OSError as error:
        if error.errno not in _FULL:
            raise
        exit_with(1, InputError(f'{error.filename or "a file"} cannot be written: {error.strerror}'))
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def exit_with(status: int, error: Exception) -> NoReturn:
    """Print the message of ``error`` to standard error and exit."""
    print(f'error: {_message(error)}', file=sys.stderr)
    sys.exit(status)


def _message(error: Exception) -> str:
    message = str(error).strip()
    if 'Original Traceback' in message:
        # A worker of a data loader hands its traceback over as the message; the message proper is its last line.
        message = message.splitlines()[-1].partition(': ')[2]
    return message
