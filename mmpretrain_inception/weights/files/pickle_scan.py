"""Look through a pickle without executing it: what it names, and how large it would become."""

from __future__ import annotations

# Python 2's names of what Python 3 has elsewhere, as every unpickler of protocol 2 translates them.
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator
from pickletools import OpcodeInfo, genops, markobject
from typing import Any, BinaryIO

# A training run's checkpoint takes 85,000 instructions, and 20,000 more for each process whose statistics it holds.
MAX_INSTRUCTIONS = 1_500_000
# A tuple that holds another twice, which holds another twice and so on, is short to write and endless to hash.
MAX_VALUES = 10_000_000

_PUT = frozenset(('PUT', 'BINPUT', 'LONG_BINPUT'))
_GET = frozenset(('GET', 'BINGET', 'LONG_BINGET'))
_NAMING = frozenset(('GLOBAL', 'INST', 'STACK_GLOBAL'))

# What stands for an object: a string itself, or the number of objects in it, shared ones counted each time.
_Item = int | str


class ExcessiveError(ValueError):
    """A pickle that is short and takes for ever."""


def scan_pickle(stream: BinaryIO) -> Iterator[str]:
    """Go through a pickle of any protocol up to its end and yield the full name of each class or function in it.

    Args:
        stream: Where the pickle begins; it is left behind its end.

    Raises:
        ExcessiveError: If it has more instructions, or makes more values, than any checkpoint.
        ValueError: If it is no pickle, or is cut short.
    """
    stack: list[_Item] = []
    marks: list[int] = []
    memo: dict[Any, _Item] = {}
    try:
        for number, (opcode, argument, _) in enumerate(genops(stream)):
            name = opcode.name
            if number > MAX_INSTRUCTIONS:
                raise ExcessiveError(f'more than {MAX_INSTRUCTIONS:,} instructions')
            if name in _PUT:
                memo[argument] = stack[-1]
            elif name in _GET:
                stack.append(memo[argument])
            elif name == 'MARK':
                marks.append(len(stack))
            elif name == 'MEMOIZE':
                memo[len(memo)] = stack[-1]
            elif not opcode.stack_before and name != 'GLOBAL':
                stack.extend([argument if isinstance(argument, str) else 1] * len(opcode.stack_after))
            else:
                taken = _take(stack, marks, opcode)
                if name in _NAMING:
                    yield _full_name(argument, taken)
                stack.extend([_size(taken)] * len(opcode.stack_after))
    except (IndexError, KeyError) as error:
        raise ValueError(f'its pickle takes what it has not put there ({error})') from error


def _take(stack: list[_Item], marks: list[int], opcode: OpcodeInfo) -> list[_Item]:
    """Remove from the stack what an instruction takes from it."""
    before = opcode.stack_before
    start, below = len(stack), len(before)
    if markobject in before:
        start, below = marks.pop(), before.index(markobject)
    start -= below
    if start < 0:
        raise IndexError('empty stack')
    taken = stack[start:]
    del stack[start:]
    return taken


def _size(parts: list[_Item]) -> int:
    size = 1 + sum(1 if isinstance(part, str) else part for part in parts)
    if size > MAX_VALUES:
        raise ExcessiveError(f'a value made of more than {MAX_VALUES:,} others')
    return size


def _full_name(argument: str | None, taken: list[_Item]) -> str:
    if argument is None:
        return '.'.join(map(str, taken))
    module, _, name = argument.partition(' ')
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    return f'{IMPORT_MAPPING.get(module, module)}.{name}'
