"""Run exported files with any runtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from mmpretrain_inception.deploy.choose import backend_of
from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.errors import InputError


class LoadedNetwork:
    """An exported network, ready to be called.

    Args:
        run: Maps a batch to logits.
        contract: The file's.
        origin: The file, for messages.
    """

    def __init__(self, run: Callable[[np.ndarray], np.ndarray], contract: Contract, origin: str) -> None:
        self._run = run
        self.contract = contract
        self._origin = origin

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute logits.

        Args:
            images: A batch of any size, as the contract describes it: float32 of shape (N, 3, H, W), or uint8 of shape
                (N, H, W, 3) where preprocessing is in the graph.

        Returns:
            float32 of shape (N, num_classes).

        Raises:
            InputError: If shape or type are others.
        """
        expected = (self.contract.image_shape, np.dtype(self.contract.dtype))
        if (images.shape[1:], images.dtype) != expected or len(images) == 0:
            raise InputError(
                f'{self._origin}: expected batches of {expected[0]} {expected[1]}, '
                f'got {images.shape[1:]} {images.dtype} with {len(images)} images'
            )
        return self._run(np.ascontiguousarray(images))


def load_runtime(path: str | Path, threads: int | None = None) -> LoadedNetwork:
    """Load an exported file into its runtime.

    Args:
        path: A file that ``tools/export.py`` or ``export_model`` wrote.
        threads: Threads to compute with. Defaults to PyTorch's number, which follows ``OMP_NUM_THREADS``.

    Raises:
        UsageError: If the file does not have the ending of an exported file.
        InputError: If the runtime is not installed or the file cannot be loaded.
    """
    contract = read_contract(path)
    run = backend_of(path).module.load(Path(path), contract, threads or torch.get_num_threads())
    return LoadedNetwork(run, contract, str(path))


def read_contract(path: str | Path) -> Contract:
    """Return the contract of an exported file without loading it into its runtime.

    Raises:
        UsageError: If the file does not have the ending of an exported file.
        InputError: If the file cannot be read or holds no contract.
    """
    return backend_of(path).module.read_contract(Path(path))
