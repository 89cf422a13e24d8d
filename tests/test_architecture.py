"""The rooms of docs/architecture.md: what imports what."""

import ast
import subprocess
import sys

import pytest
from support import REPOSITORY

PACKAGE = 'mmpretrain_inception'


def inner_imports(source):
    """Return the names that functions import from this package."""
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    imported = set()
    for node in (child for function in functions for child in ast.walk(function)):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add('.' * node.level + (node.module or ''))
    return {name for name in imported if name.partition('.')[0] in (PACKAGE, '')}


def imported_names(source):
    """Return the top-level names of everything that a file imports, at any depth."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition('.')[0])
    return names


def files():
    return sorted((REPOSITORY / PACKAGE).glob('[!.]*/**/*.py')) + sorted((REPOSITORY / PACKAGE).glob('*.py'))


def lint_imports(folder):
    command = [sys.executable, '-c', 'from importlinter.cli import lint_imports_command; lint_imports_command()']
    return subprocess.run([*command, '--no-cache'], cwd=folder, capture_output=True, text=True)


def test_rooms_import_only_from_rooms_below_and_in_no_circle():
    result = lint_imports(REPOSITORY)
    assert result.returncode == 0, result.stdout
    assert 'Contracts: 2 kept, 0 broken.' in result.stdout


@pytest.mark.parametrize(
    ('file', 'line', 'broken'),
    [
        ('errors.py', 'from mmpretrain_inception import registry', 'Rooms import only from rooms below'),
        ('weights/__init__.py', 'import mmpretrain_inception.models', 'Rooms import only from rooms below'),
        ('deploy/contract.py', 'from mmpretrain_inception.deploy import export', 'No circles within a room'),
        ('new.py', '', 'Rooms import only from rooms below'),
    ],
)
def test_a_step_upstairs_a_circle_or_a_new_room_is_found(tmp_path, file, line, broken):
    (tmp_path / 'setup.cfg').write_text((REPOSITORY / 'setup.cfg').read_text())
    for path in files():
        copy = tmp_path / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    changed = tmp_path / PACKAGE / file
    changed.write_text((changed.read_text() if changed.exists() else '') + f'\n{line}\n')

    result = lint_imports(tmp_path)

    assert result.returncode == 1
    assert broken in result.stdout


def test_no_function_imports_our_own_modules():
    found = {str(path.relative_to(REPOSITORY / PACKAGE)): inner_imports(path.read_text()) for path in files()}
    assert {name: imports for name, imports in found.items() if imports} == {}


@pytest.mark.parametrize(
    ('source', 'found'),
    [
        (f'def f():\n    from {PACKAGE}.weights import load', {f'{PACKAGE}.weights'}),
        (f'class A:\n    async def f(self):\n        if 1:\n            import {PACKAGE}.hub', {f'{PACKAGE}.hub'}),
        ('def f():\n    from . import hub', {'.'}),
        (f'from {PACKAGE} import hub\n\ndef f():\n    import nncf', set()),
    ],
)
def test_an_import_in_a_function_is_found(source, found):
    assert inner_imports(source) == found


@pytest.mark.parametrize('name', ['benchmarks', 'tools', 'tests', 'arguments', 'support'])
def test_the_package_uses_nothing_of_the_repository_around_it(name):
    assert [path.name for path in files() if name in imported_names(path.read_text())] == []
