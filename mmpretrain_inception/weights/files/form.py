"""The structure of mmengine's checkpoints, which mmengine relies on without checking it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.message_hub import (
    BATCH_SIZE,
    BATCHES_DONE,
    BATCHES_PER_EPOCH,
    DATASET_LENGTH,
    VALIDATED_EPOCH,
    WORLD_SIZE,
)
from mmpretrain_inception.weights.files.content import without_objects

# Types of parts, by their place in the checkpoint. Every part is optional.
_FORMS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('state_dict', 'ema_state_dict', 'optimizer', 'message_hub', 'meta'), (dict,)),
    **dict.fromkeys(('message_hub.log_scalars', 'message_hub.runtime_info', 'message_hub.resumed_keys'), (dict,)),
    **dict.fromkeys(('meta.epoch', 'meta.iter', 'meta.seed'), (int,)),
    'meta.dataset_meta': (dict,),
    'param_schedulers': (list, dict),
}
# In the message hub: counters of hooks and loops, and checkpoints that they delete once there are better ones.
_RUNTIME_FORMS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('epoch', 'iter', 'max_epochs', 'max_iters'), (int,)),
    **dict.fromkeys((BATCHES_DONE, BATCHES_PER_EPOCH, BATCH_SIZE, WORLD_SIZE, DATASET_LENGTH, VALIDATED_EPOCH), (int,)),
    'keep_ckpt_ids': (list, tuple),
}
# Parts that are not searched for objects: state dicts keep their class, and there are hundreds of tensors.
_TENSORS_ONLY = ('state_dict', 'ema_state_dict', 'optimizer')
_SCORE = re.compile(r'best_score(_.+)?')
_REMOVABLE = re.compile(r'(best|last|stopped)_ckpt(_.+)?')


def check_form(content: dict[Any, Any], origin: str) -> None:
    """Refuse a checkpoint with parts of other types than mmengine's Runner writes.

    mmengine deletes the previous best checkpoint that ``message_hub`` names, even if it is a folder. So only ``.pth``
    files are allowed there.

    Args:
        content: The content of the file.
        origin: The file, for messages.

    Raises:
        InputError: If a part has another type. The message names it.
    """
    for part, forms in _FORMS.items():
        _require(origin, part, _part(content, part), forms)
    for name, value in (_part(content, 'message_hub.runtime_info') or {}).items():
        part = f'message_hub.runtime_info.{str(name)[:60]}'
        if not isinstance(name, str):
            continue
        if _SCORE.fullmatch(name):
            _require(origin, part, value, (int, float))
        elif _REMOVABLE.fullmatch(name):
            _require(origin, part, value, (str,))
            if value is not None and Path(value).suffix != '.pth':
                raise InputError(f'{origin}: {part}: expected a .pth file, got {value[:80]!r}')
        else:
            _require(origin, part, value, _RUNTIME_FORMS.get(name, (object,)))


def _part(content: dict[Any, Any], name: str) -> Any:
    value: Any = content
    for key in name.split('.'):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _require(origin: str, part: str, value: Any, forms: tuple[type, ...]) -> None:
    if value is not None and not isinstance(value, forms):
        raise InputError(f'{origin}: {part}: expected a {forms[0].__name__}, got a {type(value).__name__}')


def tidy(content: dict[Any, Any]) -> dict[str, Any]:
    """Return a checkpoint that the Runner can resume from: without objects, and without text that would be executed.

    Args:
        content: The content of the file, after :func:`check_form`.
    """
    plain = {key: value if key in _TENSORS_ONLY else without_objects(value) for key, value in content.items()}
    if isinstance(plain.get('message_hub'), dict):
        _forget_absent_keys(plain['message_hub'])
    if isinstance(plain.get('meta'), dict):
        # mmengine 0.10.7 executes this text as a config when a run is resumed; it writes its own under `cfg`.
        plain['meta'].pop('config', None)
    return plain


def _forget_absent_keys(hub: dict[str, Any]) -> None:
    """Remove the keys of dropped objects from ``resumed_keys``; mmengine would warn about each."""
    parts = {part: hub.get(part) or {} for part in ('log_scalars', 'runtime_info', 'resumed_keys')}
    known = {*parts['log_scalars'], *parts['runtime_info']}
    parts['resumed_keys'] = {key: value for key, value in parts['resumed_keys'].items() if key in known}
    hub.update(parts)
