"""What all steps have in common: where they compute, on how much, and how they say what they found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from mmpretrain_inception.datasets.digits import write_digits

REPOSITORY = Path(__file__).resolve().parents[2]
DIGITS = str(REPOSITORY / 'configs/inception_v3/inception-v3_1xb64_digits-75px.py')
NUM_CLASSES = 10
_DATASETS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class CheckFailedError(Exception):
    """A step found something else than it has to be."""


class LeftOutError(Exception):
    """A step cannot run here, for the reason in the message."""


@dataclass(frozen=True)
class Settings:
    """Where and on how much the steps compute.

    Attributes:
        device: ``cuda`` or ``cpu``.
        folder: Folder for data, checkpoints and exported files.
        images: Training images of an epoch.
        tested_images: Images of a test.
        batch_size: Training images of a step.
        compiler: Back-end of ``torch.compile``.
        speed_batches: Images of a step of inference and of training, for images/s.
        speed_sizes: Their height and width in pixels. Other publishers' auxiliary classifiers need 299.
        rounds: How often the speeds are measured.
    """

    device: str
    folder: str
    images: int = 512
    tested_images: int = 256
    batch_size: int = 64
    compiler: str = 'inductor'
    speed_batches: tuple[int, int] = (32, 32)
    speed_sizes: tuple[int, int] = (299, 299)
    rounds: int = 5

    @property
    def on_gpu(self) -> bool:
        """Whether the steps compute on a GPU."""
        return self.device == 'cuda'

    @property
    def digits(self) -> dict[str, Any]:
        """Settings of the digits' config, for ``cfg_options``."""
        data = {f'{loader}.dataset.data_root': f'{self.folder}/digits' for loader in _DATASETS}
        counts = (self.images, self.tested_images, self.tested_images)
        indices = {f'{loader}.dataset.indices': count for loader, count in zip(_DATASETS, counts)}
        sizes = {f'{loader}.batch_size': self.batch_size for loader in _DATASETS}
        return {**data, **indices, **sizes, 'train_cfg.max_epochs': 2}

    def as_json(self) -> dict[str, Any]:
        """Return the settings as values that JSON holds."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Settings:
        """Return the settings that :meth:`as_json` described."""
        plain: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return cls(**plain)


def settings_for(device: str, folder: str) -> Settings:
    """Return full settings for a GPU, and small ones for the CPU, where only the steps themselves are tried."""
    if device == 'cuda':
        return Settings(device, folder)
    # Other compilers take minutes on a CPU; this one has the same graphs.
    small = dict(images=16, tested_images=16, batch_size=8, compiler='aot_eager', rounds=1)
    return Settings(device, folder, **small, speed_batches=(2, 2), speed_sizes=(75, 299))  # type: ignore[arg-type]


def prepare(settings: Settings) -> str:
    """Write the digits and, once, a checkpoint with random weights; return its path."""
    write_digits(f'{settings.folder}/digits')
    path = Path(settings.folder, 'random.pth')
    if not path.exists():
        torch.save(dict(state_dict=build_classifier().state_dict()), path)
    return str(path)


def build_classifier(**backbone: Any) -> Any:
    """Build the digits' classifier with the same random weights each time, at a scale that keeps activations near one.

    Args:
        **backbone: Settings of the backbone.
    """
    # Imported here because it registers all of mmpretrain's models, which takes seconds.
    from mmpretrain.apis import get_model

    from mmpretrain_inception.configuring.options import ConfigOptions
    from mmpretrain_inception.configuring.reading import read_config

    options = {f'model.backbone.{key}': value for key, value in backbone.items()}
    model = get_model(read_config(ConfigOptions(DIGITS, options)).cfg)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=(2 / parameter[0].numel()) ** 0.5, generator=generator)
    return model


def expect(holds: bool, otherwise: str) -> None:
    """Fail the step unless something holds.

    Raises:
        CheckFailedError: With ``otherwise`` as the message.
    """
    if not holds:
        raise CheckFailedError(otherwise)


def expect_close(found: Any, expected: Any, share: float, what: str) -> float:
    """Fail the step if two tensors differ by more than a share of the largest value.

    Returns:
        The largest difference as a share of the largest value.

    Raises:
        CheckFailedError: If it is larger, or NaN.
    """
    found, expected = (torch.as_tensor(value).detach().double().cpu() for value in (found, expected))
    difference = float((found - expected).abs().max() / expected.abs().max())
    expect(difference <= share, f'{what}: expected a difference of at most {share:g}, got {difference:.2g}')
    return difference
