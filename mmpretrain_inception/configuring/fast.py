"""Which form of a network predicts fastest on a machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.configuring.options import TestOptions
from mmpretrain_inception.deploy.table import Precision, is_exported
from mmpretrain_inception.errors import UsageError


@dataclass(frozen=True)
class Way:
    """A way to compute predictions.

    Attributes:
        name: What to call it.
        precision: Of the computation.
        runtime: The back-end to export to. None: PyTorch, with batch norm folded into the convolutions where the
            network can do that.
        needs: The library that it runs in. None: nothing but PyTorch.
    """

    name: str
    precision: Precision
    runtime: str | None = None
    needs: str | None = None


# Fastest first, by docs/benchmarks.md. Forms that change predictions by more than rounding (int8) and those that take a
# minute to compile are left to the user.
WAYS = (
    Way('OpenVINO in bf16', 'bf16', 'openvino', 'openvino'),
    Way('PyTorch in bf16', 'bf16'),
    # Of GPUs that only emulate bfloat16; processors emulate float16 too.
    Way('PyTorch in fp16', 'fp16'),
    Way('OpenVINO in fp32', 'fp32', 'openvino', 'openvino'),
    Way('ONNX Runtime in fp32', 'fp32', 'onnx', 'onnxruntime'),
    Way('PyTorch in fp32', 'fp32'),
)


def choose_way(machine: Machine, has: Callable[[str], object] = find_spec) -> Way:
    """Return the fastest way on a machine.

    Args:
        machine: The machine. On a GPU it is PyTorch.
        has: Whether a library is installed, by its name.
    """
    native = {'fp32': True, 'bf16': machine.bf16, 'fp16': machine.cuda}
    return next(
        way
        for way in WAYS
        if native[way.precision] and (way.runtime is None or not machine.cuda) and (way.needs is None or has(way.needs))
    )


def check_fast(options: TestOptions) -> None:
    """Refuse what ``--fast`` cannot be combined with.

    Raises:
        UsageError: If the form is already given, or there is not one checkpoint.
    """
    given = {'--deploy': options.deploy, '--amp': options.amp, '--launcher': options.launcher != 'none'}
    named = [option for option, value in given.items() if value]
    if named:
        raise UsageError(f'--fast chooses how to compute; leave out {" and ".join(named)}')
    if len(options.checkpoints) != 1 or is_exported(options.checkpoints[0]):
        raise UsageError('--fast: expected one checkpoint, not several and no exported file')
