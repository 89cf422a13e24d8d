"""The command ``mmpretrain-inception``: the tools by their names, from any folder.

It stands outside of the package and imports only the standard library: importing the package takes seconds, and
``--help`` should not.
"""

from __future__ import annotations

import runpy
import sys
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import NoReturn

PROGRAM = 'mmpretrain-inception'

# Each is a file in tools/, which says in its own --help what it takes.
COMMANDS = {
    'train': 'train a model',
    'test': 'evaluate a checkpoint, or several as an ensemble',
    'predict': 'predict images with a model that needs no config',
    'export': 'export a checkpoint for ONNX Runtime, OpenVINO or PyTorch',
    'convert_weights': 'convert the weights of any publisher',
    'print_config': 'show the final config of a command',
    'verify_dataset': 'find image files that cannot be decoded',
    'lr_find': 'find a learning rate',
    'get_flops': 'count parameters and multiply-adds',
    'doctor': 'show versions, processor, GPU and missing packages',
}
_DOCTOR = 'mmpretrain_inception.doctor'


def main() -> None:
    """Run the command that the command line names."""
    name, *arguments = sys.argv[1:] or ['--help']
    if name in ('-h', '--help'):
        print(usage())
    elif name == '--version':
        print(f'{PROGRAM} {runpy.run_path(str(package() / "version.py"))["__version__"]}')
    elif name.replace('-', '_') in available():
        run(name.replace('-', '_'), arguments)
    else:
        near = get_close_matches(name.replace('-', '_'), available(), n=1)
        hint = f'did you mean {near[0]}?' if near else f'{PROGRAM} --help lists the commands'
        fail(f'{name}: there is no such command; {hint}')


def usage() -> str:
    """Return the help."""
    commands = available()
    width = max(map(len, commands))
    lines = [f'  {name:{width}}  {COMMANDS[name]}' for name in commands]
    return '\n'.join(
        [
            f'usage: {PROGRAM} COMMAND ...',
            '',
            *lines,
            '',
            f'{PROGRAM} COMMAND --help says what a command takes.',
        ]
    )


def available() -> list[str]:
    """Return the commands that are installed."""
    return [name for name in COMMANDS if name == 'doctor' or (tools() / f'{name}.py').is_file()]


def run(name: str, arguments: list[str]) -> None:
    """Run a tool as ``python tools/NAME.py`` does."""
    sys.argv = [f'{PROGRAM} {name}', *arguments]
    if name == 'doctor':
        # The package asks it whether only the doctor is wanted.
        sys.orig_argv = [*sys.orig_argv, _DOCTOR]
        runpy.run_module(_DOCTOR, run_name='__main__')
        return
    # Tools import their neighbours.
    sys.path.insert(0, str(tools()))
    file = tools() / f'{name}.py'
    # Not by runpy, which would put the path of the tool into its messages in place of the command.
    module = ModuleType('__main__')
    module.__file__ = str(file)
    sys.modules['__main__'] = module
    exec(compile(file.read_bytes(), str(file), 'exec'), vars(module))


def tools() -> Path:
    """Return the folder of the tools: in a wheel within the package, in a checkout beside it."""
    inside = package() / '.mim' / 'tools'
    return inside if inside.is_dir() else package().parent / 'tools'


def package() -> Path:
    """Return the package's folder, without importing it."""
    spec = find_spec('mmpretrain_inception')
    if spec is None or not spec.submodule_search_locations:
        fail('mmpretrain_inception is not installed; run pip install -e . in its repository')
    return Path(spec.submodule_search_locations[0])


def fail(message: str) -> NoReturn:
    """Print an error of the call and exit."""
    print(f'error: {message}', file=sys.stderr)
    sys.exit(2)


if __name__ == '__main__':
    main()
