"""What the rows of one run have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor


class Subject(NamedTuple):
    """What to measure on.

    Attributes:
        cfg: The config of our model.
        checkpoint: Its weights. None: random ones.
        size: Height and width of the images, in pixels.
        device: Where to run; runtimes other than PyTorch run on the CPU.
        threads: PyTorch's threads. None: as many as PyTorch chooses.
        folder: An empty folder for exported files.
    """

    cfg: Config
    checkpoint: str | None
    size: tuple[int, int]
    device: torch.device
    threads: int | None
    folder: Path

    @property
    def num_classes(self) -> int:
        """Number of classes of our model; the other networks are built with the same."""
        return int(self.cfg.model.head.num_classes)

    def images(self, batch_size: int) -> Tensor:
        """Return noise as a normalised batch of shape (N, 3, H, W)."""
        return torch.randn(batch_size, 3, *self.size, device=self.device)

    def labels(self, batch_size: int) -> Tensor:
        """Return the label of each image of a batch, of shape (N,)."""
        return torch.arange(batch_size, device=self.device) % self.num_classes

    def as_json(self) -> dict[str, Any]:
        """Return the subject as values that JSON holds."""
        return dict(self._asdict(), cfg=self.cfg.dump(), device=str(self.device), folder=str(self.folder))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Subject:
        """Return the subject that :meth:`as_json` described."""
        return cls(
            Config.fromstring(values['cfg'], '.py'),
            values['checkpoint'],
            tuple(values['size']),
            torch.device(values['device']),
            values['threads'],
            Path(values['folder']),
        )
