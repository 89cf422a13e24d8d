"""Where training programs put the state dict in their checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

# Averages over training, which timm's and torchvision's training scripts evaluate.
AVERAGES = ('state_dict_ema', 'model_ema')
# The rest, in order of preference. mmengine's `state_dict` is the average and its `ema_state_dict` the weights of the
# last step, so the latter comes last.
_CONTAINERS = (
    *AVERAGES,
    *('state_dict', 'model_state_dict', 'model_state', 'model', 'net', 'network', 'weights', 'params', 'checkpoint'),
    'ema_state_dict',
)
_DEPTH = 4


def find_state_dict(content: Mapping[Any, Any], depth: int = _DEPTH) -> tuple[tuple[str, ...], Mapping[Any, Any]]:
    """Return the state dict in the content of a file, and the keys that lead to it.

    Args:
        content: A state dict, or containers around one.
        depth: Largest number of containers around the state dict. Defaults to 4.
    """
    if depth and not any(isinstance(value, Tensor) for value in content.values()):
        inner = [key for key in _CONTAINERS if _has_tensors(content.get(key), depth)]
        # A container under another name is taken if it is the only one.
        inner = inner or [key for key, value in content.items() if key != 'optimizer' and _has_tensors(value, depth)]
        inner = inner or [key for key in _CONTAINERS if isinstance(content.get(key), Mapping)]
        if len(inner) == 1 or (inner and inner[0] in _CONTAINERS):
            keys, found = find_state_dict(content[inner[0]], depth - 1)
            return (str(inner[0]), *keys), found
    return (), content


def _has_tensors(value: Any, depth: int) -> bool:
    if not isinstance(value, Mapping):
        return False
    return any(isinstance(item, Tensor) or (depth and _has_tensors(item, depth - 1)) for item in value.values())
