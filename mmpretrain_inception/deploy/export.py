"""Export a model to a file for a runtime."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import nn

from mmpretrain_inception.deploy.choose import choose_backend
from mmpretrain_inception.deploy.compare import (
    Difference,
    compare_logits,
    noise,
    reference,
    run_in_batches,
)
from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.network import ExportedNetwork
from mmpretrain_inception.deploy.runtimes import load_runtime
from mmpretrain_inception.deploy.switch import switch_to_deploy
from mmpretrain_inception.deploy.table import Backend, Precision
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.atomic_file import partial_files, partial_path
from mmpretrain_inception.utils.progress import slow
from mmpretrain_inception.version import __version__

# How many calibration batches int8 is compared on.
_CALIBRATION_IMAGES = 16


def export_model(
    model: nn.Module,
    path: str | Path,
    *,
    to: str,
    contract: Contract,
    precision: Precision = 'fp32',
    calibration: Sequence[np.ndarray] | None = None,
    images: np.ndarray | None = None,
) -> Difference:
    """Export a model, run the file, and keep it only if its outputs match the model's.

    Args:
        model: An mmpretrain classifier, or any module from (N, 3, H, W) to logits, in any mode. It is not changed.
        path: The file. An older one is replaced only when the new one is complete.
        to: ``onnx``, ``openvino`` or ``torch``.
        contract: Input format, classes and origin; precision and version are set here.
        precision: Precision of weights and computation. Defaults to ``fp32``.
        calibration: For int8, batches in the format of the contract that resemble later inputs.
        images: A batch to compare on, in the format of the contract, in addition to noise or, for int8, to some of
            ``calibration``. Defaults to None.

    Returns:
        The difference between the file's logits and the model's.

    Raises:
        UsageError: If runtime, precision and the ending of the file do not fit together.
        InputError: If a library is not installed, the file cannot be written, or its logits differ by more than the
            precision's bound.
    """
    path = Path(path).expanduser()
    backend = choose_backend(to, precision, path)
    contract = replace(contract, precision=precision, package_version=__version__)
    # int8 was not calibrated for noise.
    seen = calibration[:_CALIBRATION_IMAGES] if precision == 'int8' and calibration else [noise(contract)]
    compared = np.concatenate([*seen, *([] if images is None else [images])])
    expected = run_in_batches(reference(ExportedNetwork(model, contract)), compared)
    if expected.shape[1:] != (contract.num_classes,):
        raise InputError(f'expected {contract.num_classes} classes (contract), got logits of shape {expected.shape}')
    with _folder_beside(path) as folder:
        file = folder / path.name
        with slow(f'converting to {to} {precision}'):
            backend.module.write(switch_to_deploy(deepcopy(model)), file, contract, calibration)
        with slow('comparing the file with the model'):
            difference = compare_logits(run_in_batches(load_runtime(file), compared), expected)
        difference.check(precision)
        _publish(file, path, backend)
    return difference


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """Create a temporary folder on the same disk as the file, and remove it with its contents."""
    try:
        for left in partial_files(path.parent):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
        folder = partial_path(path)
        folder.mkdir()
    except OSError as error:
        raise InputError(f'{path} cannot be written: {error.strerror or error}') from error
    try:
        yield folder
    except OSError as error:
        raise InputError(f'{path} cannot be written: {error.strerror or error}') from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(file: Path, path: Path, backend: Backend) -> None:
    """Move a file to its final name; its second file first."""
    for suffix in filter(None, (backend.companion, backend.suffix)):
        os.replace(file.with_suffix(suffix), path.with_suffix(suffix))
