"""PyTorch's exported programs, .pt2, run by PyTorch without the code of the model."""

from __future__ import annotations

import inspect
import zipfile
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from mmpretrain_inception.deploy.backends.pt2_archive import check_archive
from mmpretrain_inception.deploy.contract import KEY, Contract
from mmpretrain_inception.deploy.extras import quiet
from mmpretrain_inception.deploy.network import ExportedNetwork, trace
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.rebuilt import RebuiltArchive

_DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16}
_MEMBER = f'{KEY}.json'


def write(model: nn.Module, path: Path, contract: Contract, calibration: Sequence[np.ndarray] | None) -> None:
    """Write a model as ``path``, its kernels channels_last.

    Args:
        model: The classifier in deploy form.
        path: The file, ``.pt2``.
        contract: What goes into its extra files.
        calibration: Not used.

    Raises:
        InputError: If this PyTorch writes files that cannot be checked.
    """
    _require_checkable_files(path)
    network = ExportedNetwork(model, contract, _DTYPES[contract.precision])
    program = trace(network.to(memory_format=torch.channels_last))
    with quiet():
        torch.export.save(program, path, extra_files={_MEMBER: contract.to_json()})


def read_contract(path: Path) -> Contract:
    """Read the contract from a file's extra files; nothing else in it is opened.

    Raises:
        InputError: If the file is no such file or holds no contract.
    """
    return _contract(path, path)


def _contract(file: Path | BytesIO, path: Path) -> Contract:
    try:
        with zipfile.ZipFile(file) as archive:
            found = [name for name in archive.namelist() if name.endswith(f'/extra/{_MEMBER}')]
            text = archive.read(found[0]).decode() if found else None
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InputError(f'{path}: expected an undamaged exported PyTorch program ({error})') from error
    return Contract.from_json(text, str(path))


def load(path: Path, contract: Contract, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Load a program, once :func:`check_archive` found no code in it.

    Args:
        path: The file.
        contract: That of the file.
        threads: Threads to compute with. PyTorch has one number for the whole process, which is set to it.

    Raises:
        InputError: If it holds more than a network, or PyTorch cannot load it.
    """
    _require_checkable_files(path)
    # Read once, so that what is loaded is what was checked.
    content = path.read_bytes()
    check_archive(content, str(path))
    if _contract(BytesIO(content), path) != contract:
        raise InputError(f'{path} was replaced while it was read; try again')
    try:
        with quiet():
            # Guards would be code from the file.
            module = torch.export.load(_fresh(content)).module(check_guards=False)
    # The loader raises anything on a file of another version.
    except Exception as error:
        raise InputError(f'{path}: PyTorch {torch.__version__} cannot load it: {error}') from error
    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(images)).numpy()

    return run


def _require_checkable_files(path: Path) -> None:
    """Refuse a PyTorch that writes pickles into exported programs, and runs the guards of those that it loads."""
    if 'check_guards' not in inspect.signature(ExportedProgram.module).parameters:
        raise InputError(
            f'{path}: needs a newer PyTorch; exported programs of {torch.__version__} contain pickles, which cannot be '
            'checked before they are loaded'
        )


def _fresh(content: bytes) -> BytesIO:
    """Return an archive that torch's zip reader sees exactly as ``zipfile`` did when it was checked."""
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return BytesIO(RebuiltArchive(archive, {name: name for name in archive.namelist()}).read())
