"""Writing the metrics of a test to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine import dump

from mmpretrain_inception.utils.atomic_file import atomic_path

# float32 holds seven significant digits; what follows them is the error of converting it to decimal.
_FLOAT32_DIGITS = 7


def write_metrics(metrics: dict[str, Any], path: str | Path) -> None:
    """Write metrics as JSON, YAML or pickle, chosen by the ending of the file.

    Tensors and arrays, such as the result of mmpretrain's ``ConfusionMatrix``, become lists.

    Args:
        metrics: What a test returns.
        path: A file ending in .json, .yaml, .yml, .pkl or .pickle. Its folder is made if it does not exist.

    Raises:
        InputError: If the file cannot be written. An older file of that name is unchanged.
    """
    plain = {name: to_plain(value) for name, value in metrics.items()}
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial:
        dump(plain, str(partial), file_format=Path(path).suffix[1:].lower())


def to_plain(value: Any) -> Any:
    """Return a metric made of Python's own types; numbers from float32 keep its seven significant digits.

    Args:
        value: A number, tensor or array, or lists and dicts of them. Anything else is returned unchanged.
    """
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return to_plain(value.tolist())
    if isinstance(value, dict):
        return {name: to_plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and float(np.float32(value)) == value:
        return float(f'{value:.{_FLOAT32_DIGITS}g}')
    return value
