"""A check that loading an exported program of PyTorch runs no code from the file.

``torch.export.load`` 2.14 unpickles what the file marks as pickled, example inputs of any kind, and custom objects; it
evaluates expressions and guards as Python, and looks operators up by dotted names. Its documentation says never to load
an untrusted file. A network needs none of that: tensors as raw bytes, and operators of ATen. Whatever else is in a file
is refused here before PyTorch opens it. This can be removed when PyTorch has a safe way to load.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import torch

from mmpretrain_inception.errors import InputError

_MEMBERS = re.compile(
    r'[^/]+/('
    r'data/weights/(weight_\d+|model_weights_config\.json)|data/constants/(tensor_\d+|model_constants_config\.json)|'
    r'models/model\.json|data/sample_inputs/model\.pt|extra/\w+\.json|'
    r'archive_format|archive_version|byteorder|\.data/(version|serialization_id))'
)
_RAW_TENSOR = re.compile(r'(weight|tensor)_\d+')
# What exported networks of this family consist of, name by name: the namespace also has operators that read and write
# files (aten.save, aten.from_file).
_OPERATORS = (
    *('conv2d', 'convolution', 'linear', 'addmm', 'mm', 'matmul', 't', 'transpose', 'permute', 'batch_norm'),
    *('relu', 'relu_', 'sigmoid', 'softmax', '_softmax', 'log_softmax', 'hardtanh', 'clamp', 'dropout', 'alias'),
    *('max_pool2d', 'max_pool2d_with_indices', 'avg_pool2d', 'adaptive_avg_pool2d', '_adaptive_avg_pool2d', 'mean'),
    *('add', 'add_', 'sub', 'mul', 'div', 'sqrt', 'rsqrt', 'sum', 'cat', 'stack', 'select', 'slice', 'unsqueeze'),
    *('squeeze', 'flatten', 'view', 'reshape', 'contiguous', 'clone', 'expand', 'flip', 'to', '_to_copy', 'detach'),
    *('_assert_tensor_metadata', 'sym_size', 'index_select', 'constant_pad_nd', 'pad', 'unbind', 'split', 'chunk'),
)
_OPERATOR = re.compile(rf'torch\.ops\.aten\.({"|".join(_OPERATORS)})\.\w+|_operator\.(add|sub|mul|floordiv|getitem)')
# Symbols such as s77, numbers and arithmetic; nothing else in it can be called.
_EXPRESSION = re.compile(r"([su\d\s+*()-]|Symbol\('[su]\d+'(, (positive|nonnegative|integer)=True)*\))*")
_CONTAINERS = {None, 'builtins.tuple', 'builtins.list', 'builtins.dict'}


def check_archive(content: bytes, origin: str) -> None:
    """Refuse a file that holds more than a network.

    Args:
        content: The whole file.
        origin: Its name, for messages.

    Raises:
        InputError: If it is damaged, or loading it might run code.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            strange = [name for name in names if not _MEMBERS.fullmatch(name)]
            if strange or len(set(names)) < len(names):
                raise _refusal(origin, f'a member {strange[0] if strange else "twice"}')
            for name in names:
                _check_member(name, archive, origin)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'{origin}: expected an undamaged exported PyTorch program ({error})') from error


def _check_member(name: str, archive: zipfile.ZipFile, origin: str) -> None:
    if name.endswith('/data/sample_inputs/model.pt'):
        try:
            torch.load(io.BytesIO(archive.read(name)), weights_only=True)
        # The safe unpickler raises anything on a broken pickle; PyTorch would go on with the unsafe one.
        except Exception as error:
            raise _refusal(origin, 'example inputs that are not tensors') from error
    elif name.endswith('.json') and '/extra/' not in name:
        for key, value in _entries(json.loads(archive.read(name))):
            accepts = _CHECKS.get(key)
            if accepts is not None and not accepts(value):
                raise _refusal(origin, f'{key} = {str(value)[:60]}')


def _entries(document: Any) -> Iterator[tuple[str, Any]]:
    """Yield every key of a JSON document with its value, at any depth."""
    values = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    yield from document.items() if isinstance(document, dict) else ()
    for value in values:
        yield from _entries(value)


def _are_plain_containers(text: Any) -> bool:
    entries = _entries(json.loads(text)) if isinstance(text, str) else ()
    return all(value in _CONTAINERS for key, value in entries if key == 'type')


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


# Keys of the file's JSON documents whose values PyTorch evaluates, imports or unpickles.
_CHECKS: dict[str, Callable[[Any], bool]] = {
    'target': _matches(_OPERATOR),
    'expr_str': _matches(_EXPRESSION),
    'range_constraints': lambda ranges: all(_EXPRESSION.fullmatch(symbol) for symbol in ranges),
    'use_pickle': lambda value: value is False,
    'path_name': _matches(_RAW_TENSOR),
    'in_spec': _are_plain_containers,
    'out_spec': _are_plain_containers,
    'guards_code': lambda value: not value,
    'treespec_namedtuple_fields': lambda value: not value,
    'as_custom_obj': lambda value: False,
    'as_operator': lambda value: False,
    'as_graph': lambda value: False,
}


def _refusal(origin: str, what: str) -> InputError:
    return InputError(
        f'{origin}: expected an exported program of tensors and ATen operators, got {what}; loading that might run code'
    )
