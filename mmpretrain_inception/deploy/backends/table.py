"""The runtimes that a network is exported to, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from mmpretrain_inception.deploy.contract import PRECISIONS
from mmpretrain_inception.errors import UsageError


@dataclass(frozen=True)
class Backend:
    """A runtime.

    Attributes:
        name: Its name on the command line.
        suffix: Ending of its files.
        refused: Precisions that it does not have on a CPU, each with what is measured or documented about it.
        companion: Ending of a second file beside the first. Empty: there is none.
    """

    name: str
    suffix: str
    refused: Mapping[str, str] = field(default_factory=dict)
    companion: str = ''

    @property
    def module(self) -> Any:
        """The functions ``write``, ``read_contract`` and ``load``."""
        return import_module(f'mmpretrain_inception.deploy.backends.{self.name}_backend')


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend('onnx', '.onnx', {'bf16': 'ONNX Runtime has no convolution in bf16 on a CPU'}),
        Backend('openvino', '.xml', companion='.bin'),
        Backend(
            'torch',
            '.pt2',
            {
                'fp16': 'PyTorch convolves in fp16 at a sixth of its speed in fp32 on a CPU',
                'int8': 'PyTorch quantises exported programs with torchao only, and runs the result slower than fp32',
            },
        ),
    )
}
EXPORTED_SUFFIXES = tuple(backend.suffix for backend in BACKENDS.values())


def is_exported(path: str) -> bool:
    """Return whether the name is one of an exported file."""
    return path.endswith(EXPORTED_SUFFIXES)


def backend_of(path: str | Path) -> Backend:
    """Return the runtime of a file by its ending.

    Raises:
        UsageError: If it is none of an exported file.
    """
    for backend in BACKENDS.values():
        if Path(path).suffix == backend.suffix:
            return backend
    raise UsageError(f'{path}: a file ending in {", ".join(EXPORTED_SUFFIXES)} was expected')


def choose_backend(name: str, precision: str, path: str | Path) -> Backend:
    """Return a runtime that can do what is asked for.

    Args:
        name: Key of :data:`BACKENDS`.
        precision: One of ``fp32``, ``bf16``, ``fp16`` and ``int8``.
        path: The file to write.

    Raises:
        UsageError: If the runtime, the precision and the file's ending do not go together.
    """
    if name not in BACKENDS:
        raise UsageError(f'exports go to {", ".join(BACKENDS)}, but {name} came')
    if precision not in PRECISIONS:
        raise UsageError(f'a precision is one of {", ".join(PRECISIONS)}, but {precision} came')
    backend = BACKENDS[name]
    if Path(path).suffix != backend.suffix:
        raise UsageError(f'{path}: a file for {name} ends in {backend.suffix}')
    if precision in backend.refused:
        others = [other.name for other in BACKENDS.values() if precision not in other.refused]
        own = [other for other in PRECISIONS if other not in backend.refused]
        raise UsageError(
            f'{name} in {precision} is not offered: {backend.refused[precision]}; '
            f'take {precision} of {" or ".join(others)}, or {", ".join(own)} of {name}'
        )
    return backend
