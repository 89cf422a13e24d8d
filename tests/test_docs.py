"""What the documents and the headers of the configs name exists: links, paths, options, names of the package."""

import importlib.util
import pkgutil
import re
import sys

import pytest
from mmengine.registry import Registry
from support import REPOSITORY

from mmpretrain_inception import registry

DOCUMENTS = sorted([*REPOSITORY.glob('*.md'), *REPOSITORY.glob('docs/**/*.md'), *REPOSITORY.glob('configs/**/*.md')])
HEADERS = sorted(REPOSITORY.glob('configs/**/*.py'))
TEXTS = [*DOCUMENTS, *HEADERS]

PATH = re.compile(r'(?<![\w./-])((?:configs|docs|tools|tests|benchmarks|_base_)/[\w./*-]*[\w*])')
RECIPE = re.compile(r'(?<![\w./-])(inception-v[23][\w-]*\.py)\b')
OPTION = re.compile(r'(?<![\w-])--[a-z][a-z-]+')
NAME = re.compile(r'(?<![\w./-])mmpretrain_inception(?:\.\w+)+')
# A command goes on after a backslash at the end of a line, in the comments of a config too.
COMMAND = re.compile(r'tools/(\w+)\.(?:py|sh)((?:\\\n|[^\n`|])*)')
# Options of pytest, of git and of pip, which documents name too.
FOREIGN_OPTIONS = {'--dist', '--editable', '--index-url'}
SCRIPTS = {'dist_train': 'train', 'slurm_train': 'train', 'dist_test': 'test', 'slurm_test': 'test'}


def text_of(path):
    """Return a document, or the comments of a config."""
    text = path.read_text()
    if path.suffix == '.md':
        return text
    return '\n'.join(line.lstrip()[1:] for line in text.splitlines() if line.lstrip().startswith('#'))


def anchors(path):
    """Return the anchors that GitHub gives the headings of a document."""
    headings = re.findall(r'^#+ (.+)$', path.read_text(), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def broken_links(path, text):
    broken = []
    for target in re.findall(r'\]\(([^)\s]+)\)', text):
        file, _, anchor = target.partition('#')
        if '://' in target:
            continue
        linked = (path.parent / file).resolve() if file else path
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    return broken


def missing_paths(text):
    found = {re.sub('^_base_/', 'configs/_base_/', name) for name in PATH.findall(text)}
    missing = [name for name in found if not list(REPOSITORY.glob(name.rstrip('.')))]
    recipes = {name for name in RECIPE.findall(text) if not list(REPOSITORY.glob(f'configs/**/{name}'))}
    return sorted(missing) + sorted(recipes)


@pytest.fixture(scope='module')
def options():
    """Return the options of every tool."""
    sys.path.insert(0, str(REPOSITORY / 'tools'))
    found = {}
    for path in (REPOSITORY / 'tools').glob('*.py'):
        spec = importlib.util.spec_from_file_location(f'tool_{path.stem}', path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, 'build_parser'):
            found[path.stem] = set(module.build_parser()._option_string_actions)
    sys.path.remove(str(REPOSITORY / 'tools'))
    return found


def unknown_options(text, options):
    """Return the options that the named tool, or for options without a tool any tool or benchmark, does not have."""
    unknown = []
    for tool, rest in COMMAND.findall(text):
        known = options.get(SCRIPTS.get(tool, tool))
        unknown += [f'{tool} {option}' for option in OPTION.findall(rest) if known and option not in known]
    scripts = ''.join(path.read_text() for path in (REPOSITORY / 'benchmarks').glob('*.py'))
    everywhere = set().union(*options.values(), FOREIGN_OPTIONS)
    return unknown + [o for o in set(OPTION.findall(text)) if o not in everywhere and f"'{o}'" not in scripts]


def missing_tests(text):
    """Return the tests that are named with their file and are not in it."""
    named = re.findall(r'(tests/[\w/]+\.py)::(\w+)', text)
    return [name for file, name in named if f'\ndef {name}(' not in (REPOSITORY / file).read_text()]


def unknown_names(text):
    registries = [value for value in vars(registry).values() if isinstance(value, Registry)]
    return [name for name in set(NAME.findall(text)) if not (_is_registered(name, registries) or _is_importable(name))]


def _is_registered(name, registries):
    return any(registry.get(name.partition('.')[2]) for registry in registries)


def _is_importable(name):
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def test_the_readme_fits_on_a_page():
    assert len((REPOSITORY / 'README.md').read_text().splitlines()) < 100


@pytest.mark.parametrize('path', TEXTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_everything_that_is_named_exists(path, options):
    text = text_of(path)
    assert broken_links(path, text) == []
    assert missing_paths(text) == []
    assert missing_tests(text) == []
    assert unknown_options(text, options) == []
    assert unknown_names(text) == []


def test_what_does_not_exist_is_found(options):
    readme = REPOSITORY / 'README.md'
    assert broken_links(readme, '[a](docs/nowhere.md) [b](docs/data.md#nowhere) [c](docs/data.md)') == [
        'docs/nowhere.md',
        'docs/data.md#nowhere',
    ]
    assert missing_paths(
        '`tests/test_docs.py`, `tests/nowhere.py`, _base_/nowhere.py, configs/_base_/no.py, inception-v3_nowhere.py'
    ) == [
        'configs/_base_/no.py',
        'configs/_base_/nowhere.py',
        'tests/nowhere.py',
        'inception-v3_nowhere.py',
    ]
    assert missing_tests('tests/test_docs.py::test_nowhere tests/test_docs.py::missing_tests') == ['test_nowhere']
    assert unknown_options('tools/export.py A B \\\n    --out C --show-dir D', options) == ['export --show-dir']
    assert unknown_options('`--nowhere`, `--show-dir`', options) == ['--nowhere']
    assert unknown_names('mmpretrain_inception.InceptionV3 mmpretrain_inception.nowhere') == [
        'mmpretrain_inception.nowhere'
    ]
