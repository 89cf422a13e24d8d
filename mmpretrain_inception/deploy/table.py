"""The table of back-ends.

It imports only the standard library, so that tools can read it without importing the package, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, get_args

Precision = Literal['fp32', 'bf16', 'fp16', 'int8']
PRECISIONS: tuple[str, ...] = get_args(Precision)


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
