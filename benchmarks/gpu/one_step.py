"""The process of one step: python -m benchmarks.gpu.one_step FUNCTION SETTINGS RESULT."""

from __future__ import annotations

import json
import pkgutil
import sys
from pathlib import Path
from typing import Any

from benchmarks.gpu.settings import CheckFailedError, LeftOutError, Settings
from mmpretrain_inception.errors import InputError

PASSED, FAILED, LEFT_OUT = 'passed', 'failed', 'left out'


def run_step(function: str, settings: Settings) -> dict[str, Any]:
    """Run a step, and return its status, what it found, and the message of its error.

    Args:
        function: As ``module:function``.
        settings: Its argument.

    Raises:
        Exception: Whatever nobody expected; its traceback goes to the log.
    """
    try:
        return dict(status=PASSED, found=pkgutil.resolve_name(function)(settings), message='')
    except LeftOutError as reason:
        return dict(status=LEFT_OUT, found={}, message=str(reason))
    except (CheckFailedError, InputError) as error:
        return dict(status=FAILED, found={}, message=str(error).partition('\n')[0])


if __name__ == '__main__':
    function, settings, result = sys.argv[1:]
    outcome = run_step(function, Settings.from_json(json.loads(settings)))
    Path(result).write_text(json.dumps(outcome))
