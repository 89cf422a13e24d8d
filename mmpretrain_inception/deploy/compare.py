"""Compare an exported file with its model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.network import ExportedNetwork
from mmpretrain_inception.errors import InputError

# Largest difference of a logit, relative to the largest logit. In fp32 only the order of additions differs. The others
# allow several times the difference of a trained Inception V3 (docs/deploy.md), and less than a wrong layer causes.
BOUNDS = {'fp32': 1e-4, 'fp16': 1e-2, 'bf16': 0.05, 'int8': 0.25}
_NOISE_IMAGES = 4


@dataclass(frozen=True)
class Difference:
    """The comparison of two sets of logits.

    Attributes:
        relative: Largest difference, divided by the largest absolute logit.
        agreement: Share of images with the same best class.
        images: Number of images.
    """

    relative: float
    agreement: float
    images: int

    def check(self, precision: str) -> None:
        """Check the difference against the bound for a precision.

        Raises:
            InputError: If it is larger, or NaN.
        """
        bound = BOUNDS[precision]
        if not self.relative <= bound:
            hint = '' if precision == 'fp32' else '\nhardly trained networks differ most; take another --precision'
            raise InputError(
                f'exported {precision} network: expected a difference of at most {bound:g} of the largest logit, '
                f'got {self.relative:.4g}; nothing was written{hint}'
            )

    def __str__(self) -> str:
        return (
            f'largest difference {self.relative:.2g} of the largest logit, '
            f'same best class on {100 * self.agreement:.1f} % of {self.images} images'
        )


def compare_logits(found: np.ndarray, expected: np.ndarray) -> Difference:
    """Compare logits of shape (N, classes)."""
    return Difference(
        relative=float(np.abs(found - expected).max() / np.abs(expected).max()),
        agreement=float((found.argmax(1) == expected.argmax(1)).mean()),
        images=len(found),
    )


def run_in_batches(run: Callable[[np.ndarray], np.ndarray], images: np.ndarray) -> np.ndarray:
    """Run a network in batches of 1, 3 and up to 32, which also tests that any batch size works."""
    starts = [0, 1, *range(4, len(images), 32), len(images)]
    return np.concatenate([run(images[start:end]) for start, end in pairwise(starts)])


def reference(network: ExportedNetwork) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that runs a network in PyTorch."""

    def run(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(np.ascontiguousarray(images))).numpy()

    return run


def noise(contract: Contract) -> np.ndarray:
    """Return images of random pixels in the format of a contract, the same ones each time."""
    pixels = np.random.default_rng(0).integers(0, 256, (_NOISE_IMAGES, *contract.image_shape), dtype=np.uint8)
    if contract.with_preprocess:
        return pixels
    mean, std = (np.array(values, dtype=np.float32).reshape(3, 1, 1) for values in (contract.mean, contract.std))
    return (pixels.astype(np.float32) - mean) / std
