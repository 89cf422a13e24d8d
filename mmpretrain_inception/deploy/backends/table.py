"""The table of back-ends."""

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
    """A runtime that models are exported to.

    Attributes:
        name: Its name on the command line.
        suffix: Ending of its files.
        refused: Precisions that are not supported on a CPU, each with the reason.
        companion: Ending of a second file next to the first. Empty: there is none.
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
                'fp16': 'on a CPU, PyTorch convolves in fp16 at a sixth of the speed of fp32',
                'int8': 'PyTorch needs torchao to quantise exported programs, and runs them slower than fp32',
            },
        ),
    )
}
EXPORTED_SUFFIXES = tuple(backend.suffix for backend in BACKENDS.values())


def is_exported(path: str) -> bool:
    """Return whether a file name has the ending of an exported file."""
    return path.endswith(EXPORTED_SUFFIXES)


def backend_of(path: str | Path) -> Backend:
    """Return the back-end of a file by its ending.

    Raises:
        UsageError: If no back-end has this ending.
    """
    for backend in BACKENDS.values():
        if Path(path).suffix == backend.suffix:
            return backend
    raise UsageError(f'{path}: expected a file ending in {", ".join(EXPORTED_SUFFIXES)}')


def choose_backend(name: str, precision: str, path: str | Path) -> Backend:
    """Return the back-end for an export.

    Args:
        name: Key of :data:`BACKENDS`.
        precision: One of ``fp32``, ``bf16``, ``fp16`` and ``int8``.
        path: The file to write.

    Raises:
        UsageError: If the runtime, the precision and the ending of the file do not fit together.
    """
    if name not in BACKENDS:
        raise UsageError(f'expected one of {", ".join(BACKENDS)} as runtime, got {name}')
    if precision not in PRECISIONS:
        raise UsageError(f'expected one of {", ".join(PRECISIONS)} as precision, got {precision}')
    backend = BACKENDS[name]
    if Path(path).suffix != backend.suffix:
        raise UsageError(f'{path}: expected a file ending in {backend.suffix} for {name}')
    if precision in backend.refused:
        others = [other.name for other in BACKENDS.values() if precision not in other.refused]
        own = [other for other in PRECISIONS if other not in backend.refused]
        raise UsageError(
            f'{name} does not support {precision}: {backend.refused[precision]}; '
            f'use {precision} with {" or ".join(others)}, or {", ".join(own)} with {name}'
        )
    return backend
