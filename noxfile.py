"""The environments that are tried: `nox -l` lists them, `nox` runs the smoke test of each.

One of them: `nox -s 'smoke-3.13(onedl, newest)'`. Interpreters that are missing are skipped.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import nox

PYTHONS = ['3.10', '3.11', '3.12', '3.13', '3.14']
STACKS = ['openmmlab', 'onedl']
DEPENDENCIES = ['newest', 'oldest']

nox.options.sessions = ['smoke']
# Each has gigabytes of torch.
nox.options.reuse_existing_virtualenvs = False


@nox.session(python=PYTHONS)
@nox.parametrize('dependencies', DEPENDENCIES, ids=DEPENDENCIES)
@nox.parametrize('stack', STACKS, ids=STACKS)
def smoke(session: nox.Session, stack: str, dependencies: str) -> None:
    """Import, train, resume, test, export and predict on a few digits. Arguments name some of these steps."""
    install(session, stack, dependencies, '.')
    session.run('python', 'tests/smoke.py', *session.posargs, env={'PYTHONPATH': ''})


@nox.session(python=PYTHONS)
@nox.parametrize('dependencies', DEPENDENCIES, ids=DEPENDENCIES)
@nox.parametrize('stack', STACKS, ids=STACKS)
def tests(session: nox.Session, stack: str, dependencies: str) -> None:
    """The quick tests. Arguments go to pytest: `nox -s 'tests-3.12(...)' -- tests/weights`."""
    install(session, stack, dependencies, '.[dev,keras]')
    session.run('python', '-m', 'pytest', '-m', 'not slow', *session.posargs, env={'OMP_NUM_THREADS': '1'})


def install(session: nox.Session, stack: str, dependencies: str, package: str) -> None:
    """Install this package with a stack, and with the newest or the oldest of what it requires."""
    arguments = ['--editable', package]
    if dependencies == 'oldest':
        constraints = Path(session.create_tmp(), 'oldest.txt')
        constraints.write_text('\n'.join(oldest(stack)))
        arguments += ['--constraint', str(constraints)]
    session.install(*arguments, env={'MMPRETRAIN_INCEPTION_STACK': stack})


def oldest(stack: str) -> list[str]:
    """Return the lower bounds of setup.cfg as constraints."""
    config = ConfigParser()
    config.read(Path(__file__).with_name('setup.cfg'), encoding='utf-8')
    required = f'{config["options"]["install_requires"]}\n{config["stacks"][stack]}'
    return [re.sub('>=', '==', line) for line in required.splitlines() if '>=' in line]
