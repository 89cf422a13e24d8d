"""Read ``.safetensors`` files, which hold only tensors and strings."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

from safetensors.torch import load

from mmpretrain_inception.errors import InputError

# Eight bytes with the length of a JSON header, the header, then the numbers.
_LENGTH = 8
# The header of Inception V3 has 60 kB. The library allows 100 MB, which takes gigabytes of memory.
_MAX_HEADER = 2**23


def read_safetensors(file: BinaryIO, origin: str) -> dict[str, Any]:
    """Read the tensors of a safetensors file as ``state_dict`` and its strings as ``meta``.

    Args:
        file: The file.
        origin: Its name, for messages.

    Raises:
        InputError: If the file is damaged.
    """
    content = file.read()
    length = int.from_bytes(content[:_LENGTH], 'little')
    if length > _MAX_HEADER:
        raise InputError(f'{origin} is damaged or not a safetensors file: it declares a header of {length:,} bytes')
    try:
        tensors = load(content)
        meta = json.loads(content[_LENGTH : _LENGTH + length]).get('__metadata__', {})
    # The library and torch raise different errors.
    except Exception as error:
        text = ' '.join(str(error).split())[:160]
        raise InputError(f'{origin} is damaged, truncated, or not a safetensors file ({text})') from error
    return dict(state_dict=tensors, meta=meta)
