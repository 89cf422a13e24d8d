"""What this installation consists of, one fact a line, for bug reports: python -m mmpretrain_inception.doctor.

It has to work where packages are missing or broken, so it imports each of them in a ``try``.
"""

from __future__ import annotations

import importlib
import io
import os
import platform
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from mmpretrain_inception.stack import PROVIDERS, overwritten, require_opencv, versions
from mmpretrain_inception.utils.streams import keep_streams_open
from mmpretrain_inception.version import __version__

try:
    import torch
except Exception:  # Whatever is wrong with torch, its own line says it.
    torch = None  # type: ignore[assignment]
if torch is not None:
    from mmpretrain_inception.utils.processor import has_native_bf16, instruction_set, processor_name
try:
    with warnings.catch_warnings():
        # What they say has lines of its own.
        warnings.simplefilter('ignore')
        from mmpretrain_inception.workarounds import FAULTS, PKG_RESOURCES_IS_MISSING, lacks_pkg_resources
except Exception:
    FAULTS = ()

# Import names, in the order in which they are tried, and the distributions that provide each.
_IMPORTED = {
    'torch': ('torch',),
    'torchvision': ('torchvision',),
    'cv2': ('opencv-python', 'opencv-python-headless', 'opencv-contrib-python', 'opencv-contrib-python-headless'),
    **PROVIDERS,
}
_NAME = re.compile(r'[\w.-]+')
_EXTRA = re.compile(r'extra == .([\w-]+)')
_WIDTH = 12


class Fact(NamedTuple):
    """A line of the report.

    Attributes:
        name: What it is about.
        text: The fact.
        wrong: Whether nothing works until it is mended.
    """

    name: str
    text: str
    wrong: bool = False


def main() -> None:
    """Print the facts, and exit with status 1 if something required is missing, broken or overwritten."""
    problems = []
    for fact in facts():
        print(f'{fact.name:<{_WIDTH}} {fact.text}', flush=True)
        if fact.wrong:
            problems.append(fact.name)
    if problems:
        print(f'error: {", ".join(dict.fromkeys(problems))}: see above', file=sys.stderr)
        sys.exit(1)


def facts() -> Iterator[Fact]:
    """Yield versions, the machine, active workarounds and missing packages."""
    yield Fact('version', f'{__version__}, {Path(__file__).parent}')
    yield Fact('python', f'{platform.python_version()}, {sys.executable}')
    yield Fact('system', platform.platform())
    for name, distributions in _IMPORTED.items():
        yield _import(name, distributions)
    line = overwritten()
    if line:
        yield Fact('overwritten', line, wrong=True)
    yield from _requirements()
    yield from _machine()
    yield from _workarounds()


def _import(name: str, distributions: tuple[str, ...]) -> Fact:
    """Import a package, and say which distribution it comes from, or why it does not work."""
    listed = ', '.join(f'{distribution} {version}' for distribution, version in versions(*distributions).items())
    try:
        _import_quietly(name)
    except ModuleNotFoundError as error:
        what = 'not installed' if error.name == name else f'broken, because {error.name} is not installed'
    except Exception as error:
        what = f'broken: {_first_line(error)}'
    else:
        return Fact(name, listed or f'{sys.modules[name].__file__}, of no distribution')
    return Fact(name, f'{listed}{", " if listed else ""}{what}', wrong=True)


def _import_quietly(name: str) -> None:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        if name == 'cv2':
            require_opencv()
        importlib.import_module(name)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _requirements() -> Iterator[Fact]:
    """Yield the versions of other requirements and of the extras, or that they are missing."""
    try:
        groups = _required_names()
    except metadata.PackageNotFoundError:
        yield Fact('required', 'unknown, since mmpretrain-inception is not installed but found on the path')
        return
    shown = {name for distributions in _IMPORTED.values() for name in distributions}
    for extra, names in groups.items():
        names = [name for name in names if name not in shown]
        found = versions(*names)
        missing = [name for name in names if name not in found]
        listed = [', '.join(f'{name} {version}' for name, version in found.items())] if found else []
        absent = [f'missing {", ".join(missing)}'] if missing else []
        yield Fact(f'[{extra}]' if extra else 'required', '; '.join(listed + absent), wrong=bool(missing) and not extra)


def _required_names() -> dict[str, list[str]]:
    """Return the distributions that this package requires, by extra; '' without any."""
    groups: dict[str, list[str]] = {'': []}
    for line in metadata.requires('mmpretrain-inception') or ():
        name, extra = _NAME.match(line), _EXTRA.search(line)
        if name:
            groups.setdefault(extra[1] if extra else '', []).append(name[0])
    return groups


def _machine() -> Iterator[Fact]:
    """Yield the processor, the GPU, and where downloaded weights go."""
    if torch is None:
        yield Fact('processor', f'{platform.processor() or platform.machine()}, {os.cpu_count()} cores')
        return
    computes = 'computes in bfloat16' if has_native_bf16() else 'emulates bfloat16'
    cores = f'{os.cpu_count()} cores, {torch.get_num_threads()} threads'
    yield Fact('processor', f'{processor_name()}, {instruction_set()}, {computes}, {cores}')
    if torch.cuda.is_available():
        names = ', '.join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
        yield Fact('gpu', f'{names}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}')
    else:
        yield Fact(
            'gpu', f'none; torch is built for {f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPUs only"}'
        )
    folder = Path(torch.hub.get_dir(), 'checkpoints')
    sizes = [file.stat().st_size for file in folder.glob('**/*') if file.is_file()] if folder.is_dir() else []
    yield Fact('weights', f'{folder}, {len(sizes)} files, {sum(sizes) / 1e6:.0f} MB')


def _workarounds() -> Iterator[Fact]:
    """Yield whether each fault of a dependency is present, and so its workaround needed."""
    if not FAULTS:
        yield Fact('workaround', 'unknown, since mmengine or mmcv cannot be imported')
        return
    if lacks_pkg_resources():
        yield Fact('setuptools', PKG_RESOURCES_IS_MISSING, wrong=True)
    for fault in FAULTS:
        state = 'active' if fault.is_present() else 'not needed, fault absent'
        yield Fact('workaround', f'{state}: {fault.what} ({fault.where})')


if __name__ == '__main__':
    keep_streams_open()
    main()
