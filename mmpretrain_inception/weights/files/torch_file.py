"""Read what ``torch.save`` wrote, through torch's restricted unpickler."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.checks import check_archive, check_content, check_pickles, is_archive

# Where training scripts keep the parameters: mmengine and timm, torchvision's references.
_STATE_KEYS = ('state_dict', 'model')
_META_DEPTH = 6
_OMITTED = object()


class Inert:
    """Stands for an object of a checkpoint that is not wanted: it takes any arguments and state and keeps nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...

    def __setstate__(self, state: Any) -> None: ...


# All that mmengine 0.10.7's Runner puts into its message hub beside tensors and plain containers, under the module
# names of NumPy 2 and 1. Each of them is answered by Inert, ``getattr`` too: no function of the file's choice runs.
_RUNNER_GLOBALS = (
    'mmengine.logging.history_buffer.HistoryBuffer',
    'builtins.getattr',
    'numpy.ndarray',
    'numpy.dtype',
    *('numpy._core.multiarray._reconstruct', 'numpy._core.multiarray.scalar'),
    *('numpy.core.multiarray._reconstruct', 'numpy.core.multiarray.scalar'),
)


def read_torch(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read the tensors and the plain metadata of a file that ``torch.save`` wrote, in its zip or its older format.

    Raises:
        InputError: If the file is damaged, needs more than tensors and plain containers, or holds no state dict.
    """
    return split_content(path, read_torch_content(path))


def split_content(path: Path, content: dict[Any, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the state dict and the plain metadata of a checkpoint.

    Raises:
        InputError: If it holds no state dict.
    """
    meta = _plain(content.get('meta'), _META_DEPTH)
    return _state_dict(path, content), meta if isinstance(meta, dict) else {}


def read_torch_content(path: Path, map_location: Any = 'cpu') -> dict[Any, Any]:
    """Read all that a file of ``torch.save`` holds, but for the objects of mmengine's message hub.

    Args:
        path: The file.
        map_location: As in ``torch.load``. Defaults to the CPU.

    Raises:
        InputError: If the file is damaged, needs more than tensors and plain containers, or holds no dict.
    """
    try:
        if is_archive(path):
            check_archive(path)
        check_pickles(path, _RUNNER_GLOBALS)
        with _only_inert_objects(), warnings.catch_warnings():
            warnings.simplefilter('ignore')  # about the pickle's protocol; the error says it if it matters
            content = torch.load(path, map_location=map_location, weights_only=True)
    except InputError:
        raise
    except Exception as error:
        raise InputError(_refusal(path, error)) from error
    check_content(path, content, known=Inert)
    if not isinstance(content, dict):
        raise InputError(f'{path} holds a {type(content).__name__}, but a state dict was expected')
    return content


@contextmanager
def _only_inert_objects() -> Iterator[None]:
    # What the process has allowed elsewhere would be built for real, so it is set aside for the time of reading.
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals([(Inert, name) for name in _RUNNER_GLOBALS])
    try:
        yield
    finally:
        torch.serialization.clear_safe_globals()
        torch.serialization.add_safe_globals(allowed)


def without_objects(value: Any) -> Any:
    """Return ``value`` without what stood in the file as an object, in containers of any depth."""
    if isinstance(value, dict):
        return {key: without_objects(item) for key, item in value.items() if not isinstance(item, Inert)}
    if isinstance(value, (list, tuple)):
        kept = [without_objects(item) for item in value if not isinstance(item, Inert)]
        return tuple(kept) if isinstance(value, tuple) else kept
    return value


def _refusal(path: Path, error: Exception) -> str:
    text = ' '.join(str(error).split())
    operand = re.search(r'Unsupported operand (\d+)|Unsupported class|persistent_load|unrecognized function', text)
    if operand:
        return f'{path} was not opened: its pickle uses more than torch.save writes for a state dict ({operand[0]})'
    return f'{path} is damaged, was cut short or is no file of torch.save ({text[:160]})'


def _state_dict(path: Path, content: dict[Any, Any]) -> dict[str, Tensor]:
    inner = next((content[key] for key in _STATE_KEYS if isinstance(content.get(key), dict)), content)
    for name, value in inner.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f'{path} holds no state dict: {str(name)[:60]!r} is a {type(value).__name__}, but a tensor was expected'
            )
        if value.layout != torch.strided or value.is_quantized or value.is_meta:
            raise InputError(f'{path}: {name} is no dense tensor of numbers (layout {value.layout}, {value.dtype})')
    # Not the tensor's own method, which a file may have replaced by an attribute of the tensor.
    return {name: Tensor.detach(value) for name, value in inner.items()}


def _plain(value: Any, depth: int) -> Any:
    """Return ``value`` without what is not plain or lies deeper than ``depth`` containers."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth and isinstance(value, dict):
        items = {key: _plain(item, depth - 1) for key, item in value.items() if isinstance(key, (str, int))}
        return {key: item for key, item in items.items() if item is not _OMITTED}
    if depth and isinstance(value, (list, tuple)):
        kept = [item for item in (_plain(item, depth - 1) for item in value) if item is not _OMITTED]
        return tuple(kept) if isinstance(value, tuple) else kept
    return _OMITTED
