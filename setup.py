"""The requirement that setup.cfg cannot express: OpenMMLab's packages, or their maintained fork.

Both have the same import names, so pip must not install one over the other. Whichever is installed is required.
"""

from __future__ import annotations

import os
import subprocess
import sys
from configparser import ConfigParser

from setuptools import setup

STACKS = ('openmmlab', 'onedl')
# The distributions that have the same files as one of OpenMMLab's stack.
SAME = {'mmcv-lite': ('mmcv',), 'mmengine': ('mmengine-lite',)}
VARIABLE = 'MMPRETRAIN_INCEPTION_STACK'


def installed() -> set[str]:
    """Return the names of the distributions in the environment that pip installs into.

    pip hides them from this process by PYTHONPATH, which -E makes Python ignore.
    """
    code = 'from importlib import metadata; print(*(found.metadata["Name"] for found in metadata.distributions()))'
    command = [sys.executable, '-E', '-c', code]
    return {name.lower().replace('_', '-') for name in subprocess.check_output(command, text=True).split()}


def stack_requirements(stacks: dict[str, list[str]], present: set[str], choice: str = '') -> list[str]:
    """Return the requirements of the stack to use.

    Args:
        stacks: The requirements of each.
        present: Names of installed distributions.
        choice: What the user asks for: a stack, 'none', or by default whichever is present.
    """
    if choice == 'none':
        return []
    chosen = choice or ('onedl' if any(name.startswith('onedl-mm') for name in present) else 'openmmlab')
    if chosen not in stacks:
        raise SystemExit(f'{VARIABLE}: expected one of {", ".join(STACKS)} and none, got {choice}')
    return [_as_present(requirement, present) for requirement in stacks[chosen]]


def _as_present(requirement: str, present: set[str]) -> str:
    """Return a requirement, of the installed one of distributions with the same files."""
    name, separator, version = requirement.partition('>=')
    return next((other for other in SAME.get(name, ()) if other in present), name) + separator + version


def lines(text: str) -> list[str]:
    """Return the lines of a setting."""
    return text.strip().splitlines()


if __name__ == '__main__':
    config = ConfigParser()
    config.read('setup.cfg', encoding='utf-8')
    stacks = {name: lines(config['stacks'][name]) for name in STACKS}
    chosen = stack_requirements(stacks, installed(), os.environ.get(VARIABLE, ''))
    # What is given here replaces the list of setup.cfg.
    setup(install_requires=[*lines(config['options']['install_requires']), *chosen])
