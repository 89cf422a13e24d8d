"""Commands for a user to type next, which work when they are pasted."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from mmengine.dist import get_world_size

_COMMAND = 'mmpretrain-inception'


def command(tool: str, *arguments: str) -> str:
    """Return the command of a tool, spelt as the running one was started.

    Args:
        tool: Its name, such as ``test``.
        *arguments: Its arguments. Paths in the current folder become relative ones.
    """
    return shlex.join([*_start(tool), *map(nearest, arguments)])


def same_command(*added: str) -> str | None:
    """Return the command that is running with more arguments; None where a launcher or no tool of ours started it."""
    if get_world_size() > 1 or 'LOCAL_WORLD_SIZE' in os.environ:
        return None
    if sys.argv[0].startswith(f'{_COMMAND} '):
        return shlex.join([*sys.argv[0].split(), *sys.argv[1:], *added])
    if not _is_tool():
        return None
    return shlex.join([*_start(Path(sys.argv[0]).stem), *sys.argv[1:], *added])


def nearest(path: str) -> str:
    """Return a path relative to the current folder if it lies there and exists; otherwise as it is."""
    here = os.getcwd()
    if os.path.isabs(path) and os.path.exists(path) and os.path.commonpath([here, path]) == here:
        return os.path.relpath(path, here)
    return path


def _is_tool() -> bool:
    program = Path(sys.argv[0])
    return program.suffix == '.py' and program.with_name('arguments.py').exists()


def _start(tool: str) -> list[str]:
    if not _is_tool():
        return [_COMMAND, tool]
    python = sys.orig_argv[0] if sys.orig_argv else 'python'
    return [python, str(Path(sys.argv[0]).with_name(f'{tool}.py'))]
