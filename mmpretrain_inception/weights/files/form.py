"""The form of a checkpoint of mmengine's Runner, which mmengine takes for granted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.message_hub import BATCHES_DONE, BATCHES_PER_EPOCH, VALIDATED_EPOCH

# Parts, by where they are in the checkpoint. What is not there may be absent.
_FORMS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('state_dict', 'ema_state_dict', 'optimizer', 'message_hub', 'meta'), (dict,)),
    **dict.fromkeys(('message_hub.log_scalars', 'message_hub.runtime_info', 'message_hub.resumed_keys'), (dict,)),
    **dict.fromkeys(('meta.epoch', 'meta.iter', 'meta.seed'), (int,)),
    'meta.dataset_meta': (dict,),
    'param_schedulers': (list, dict),
}
# In the message hub: what hooks and loops count with, and the checkpoints that they remove when better ones are there.
_RUNTIME_FORMS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(('epoch', 'iter', 'max_epochs', 'max_iters'), (int,)),
    **dict.fromkeys((BATCHES_DONE, BATCHES_PER_EPOCH, VALIDATED_EPOCH), (int,)),
    'keep_ckpt_ids': (list, tuple),
}
_SCORE = re.compile(r'best_score(_.+)?')
_REMOVABLE = re.compile(r'(best|last|stopped)_ckpt(_.+)?')


def check_form(path: Path, content: dict[Any, Any]) -> None:
    """Refuse a checkpoint whose parts are of other types than those that mmengine's Runner writes.

    mmengine removes what ``message_hub`` names as an earlier best checkpoint, a folder with all that is in it. Only a
    ``.pth`` file can be named here.

    Args:
        path: The file, for messages.
        content: What it holds.

    Raises:
        InputError: With the part.
    """
    for part, forms in _FORMS.items():
        _require(path, part, _part(content, part), forms)
    for name, value in (_part(content, 'message_hub.runtime_info') or {}).items():
        part = f'message_hub.runtime_info.{str(name)[:60]}'
        if not isinstance(name, str):
            continue
        if _SCORE.fullmatch(name):
            _require(path, part, value, (int, float))
        elif _REMOVABLE.fullmatch(name):
            _require(path, part, value, (str,))
            if value is not None and Path(value).suffix != '.pth':
                raise InputError(f'{path}: {part} is {value[:80]!r}, but a .pth file was expected')
        else:
            _require(path, part, value, _RUNTIME_FORMS.get(name, (object,)))


def _part(content: dict[Any, Any], name: str) -> Any:
    value: Any = content
    for key in name.split('.'):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _require(path: Path, part: str, value: Any, forms: tuple[type, ...]) -> None:
    if value is not None and not isinstance(value, forms):
        raise InputError(f'{path}: {part} is a {type(value).__name__}, but a {forms[0].__name__} was expected')
