"""Scan a pickle without executing it: the names in it, the size of its values, and the cost of building them."""

from __future__ import annotations

# Python 2's names of modules and classes, translated as every unpickler of protocol 2 does.
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Iterator, Sequence
from itertools import islice
from pickletools import OpcodeInfo, markobject, opcodes
from typing import Any, BinaryIO, NamedTuple

# A training checkpoint takes 85,000 instructions, and 20,000 more for each process whose statistics it holds.
MAX_INSTRUCTIONS = 1_500_000
# A tuple that contains another one twice, and so on, is short to write but takes forever to hash.
MAX_VALUES = 2_000_000
# Keys other than strings. Hashes of strings are secret, but hashes of numbers can be made to collide, and n colliding
# keys take n * n / 2 comparisons. Optimizers number their parameters, up to a few thousand; other keys are rare.
MAX_NUMBERED_KEYS = 20_000
MAX_OTHER_KEYS = 1_000
_MAX_KEY_SIZE = 100
# Random generators have states of 128 bits. Numbers of a million digits take minutes to print.
_MAX_INT_BITS = 1024
# A string counts as one value, plus one for each so many characters.
_TEXT_UNIT = 64

_OPCODES = {opcode.code.encode('latin-1'): opcode for opcode in opcodes}
_PUT = frozenset(('BINPUT', 'LONG_BINPUT'))
_GET = frozenset(('BINGET', 'LONG_BINGET'))
_NAMING = frozenset(('GLOBAL', 'INST', 'STACK_GLOBAL'))
_CALLING = frozenset(('REDUCE', 'NEWOBJ', 'NEWOBJ_EX', 'OBJ', 'INST', 'BUILD'))
_TUPLES = frozenset(('TUPLE', 'TUPLE1', 'TUPLE2', 'TUPLE3'))
# These change the object below their arguments.
_FILLING = frozenset(('APPEND', 'APPENDS', 'SETITEM', 'SETITEMS', 'ADDITEMS', 'BUILD'))
# The arguments of an instruction that become keys of a dict or members of a set.
_KEYS = {
    'SETITEM': slice(1, None, 2),
    'SETITEMS': slice(1, None, 2),
    'DICT': slice(0, None, 2),
    'ADDITEMS': slice(1, None),
    'FROZENSET': slice(None),
}
_HASHING = frozenset(('builtins.set', 'builtins.frozenset', 'collections.Counter', 'collections.OrderedDict'))
# How protocol 2 writes bytes. Some encodings of Python take quadratic time.
_ENCODE = '_codecs.encode'
# Numbers in decimal digits take quadratic time to read. torch.save writes none.
_REFUSED = frozenset(('INT', 'LONG', 'PUT', 'GET'))


class ExcessiveError(ValueError):
    """A short pickle that would take far too much time or memory."""


class Name(NamedTuple):
    """A class or function that a pickle names.

    Attributes:
        name: Its full name.
        key: The last string before it, which is the key if it is a value of a dict.
    """

    name: str
    key: str


class _Value:
    """Stands for an object.

    Attributes:
        size: Number of objects in it, with shared ones counted each time. A list or dict grows when it is filled, but
            the containers that already hold it do not.
        kind: ``text``, ``index`` (a small integer), ``name`` (of a class or function) or ``other``.
        text: The string or the name.
        parts: The members of a tuple.
    """

    __slots__ = ('kind', 'parts', 'size', 'text')

    def __init__(self, size: int = 1, kind: str = 'other', text: str = '', parts: Sequence[_Value] = ()) -> None:
        self.size = size
        self.kind = kind
        self.text = text
        self.parts = parts

    def grow(self, by: int) -> None:
        """Add to the size.

        Raises:
            ExcessiveError: If it becomes too large.
        """
        self.size += by
        if self.size > MAX_VALUES:
            raise ExcessiveError(f'a value made of more than {MAX_VALUES:,} others')


def scan_pickle(stream: BinaryIO) -> Iterator[Name]:
    """Scan a pickle of any protocol to its end and yield each class or function that it names.

    Args:
        stream: The stream, at the start of the pickle. Afterwards it is at its end.

    Raises:
        ExcessiveError: If it has more instructions, values or keys that could collide than any checkpoint.
        ValueError: If it is not a pickle, or is truncated.
    """
    scan = _Scan()
    try:
        for number, (opcode, argument) in enumerate(_instructions(stream)):
            if number > MAX_INSTRUCTIONS:
                raise ExcessiveError(f'more than {MAX_INSTRUCTIONS:,} instructions')
            name = scan.step(opcode, argument)
            if name is not None:
                yield Name(name, scan.last_text())
    except (IndexError, KeyError) as error:
        raise ValueError(f'its pickle uses values that it has not defined ({error})') from error


def _instructions(stream: BinaryIO) -> Iterator[tuple[OpcodeInfo, Any]]:
    """Yield instructions like ``pickletools.genops``, but refuse text instructions before reading their argument."""
    while True:
        code = stream.read(1)
        opcode = _OPCODES.get(code)
        if opcode is None:
            raise ValueError(f'its pickle is truncated, or has an unknown instruction {code!r}')
        if opcode.name in _REFUSED:
            raise ExcessiveError(f'the instruction {opcode.name}')
        yield opcode, None if opcode.arg is None else opcode.arg.reader(stream)
        if opcode.name == 'STOP':
            return


class _Scan:
    """The stack, marks and memo of an unpickler, with stand-ins for all objects."""

    def __init__(self) -> None:
        self.stack: list[_Value] = []
        self.marks: list[int] = []
        self.memo: dict[Any, _Value] = {}
        self.called = _Value(0)
        self.numbered_keys = 0
        self.other_keys = 0

    def step(self, opcode: OpcodeInfo, argument: Any) -> str | None:
        """Apply an instruction to the stack, and return the class or function that it names, if any."""
        name = opcode.name
        if name in _PUT:
            self.memo[argument] = self.stack[-1]
        elif name in _GET:
            self.stack.append(self.memo[argument])
        elif name == 'MARK':
            self.marks.append(len(self.stack))
        elif name == 'DUP':
            self.stack.append(self.stack[-1])
        elif name == 'MEMOIZE':
            self.memo[len(self.memo)] = self.stack[-1]
        elif not opcode.stack_before and name != 'GLOBAL':
            self.stack.extend(_value(argument) for _ in opcode.stack_after)
        else:
            return self._combine(opcode, argument)
        return None

    def last_text(self) -> str:
        """Return the string nearest to the top of the stack."""
        near = islice(reversed(self.stack), 8)
        return next((value.text for value in near if value.kind == 'text'), '')

    def _combine(self, opcode: OpcodeInfo, argument: Any) -> str | None:
        taken = self._take(opcode)
        name = _full_name(argument, taken) if opcode.name in _NAMING else None
        if opcode.name in _CALLING:
            arguments = [part for value in taken[1:] for part in value.parts or [value]]
            self.called.grow(sum(value.size for value in arguments))
            if taken and taken[0].text in _HASHING:
                self._count_keys(other=sum(value.size - 1 for value in arguments))
            if taken and taken[0].text == _ENCODE and [value.text for value in arguments[1:]] != ['latin1']:
                raise ExcessiveError('bytes in another encoding than latin1')
        if opcode.name in _KEYS:
            self._check_keys(taken[_KEYS[opcode.name]])
        if opcode.name in _FILLING:
            taken[0].grow(sum(value.size for value in taken[1:]))
            self.stack.append(taken[0])
        elif opcode.stack_after:
            parts = taken if opcode.name in _TUPLES else ()
            made = _Value(0, 'other' if name is None else 'name', name or '', parts)
            made.grow(1 + sum(value.size for value in taken))
            self.stack.append(made)
        return name

    def _take(self, opcode: OpcodeInfo) -> list[_Value]:
        """Remove the arguments of an instruction from the stack and return them."""
        before = opcode.stack_before
        start, below = len(self.stack), len(before)
        if markobject in before:
            start, below = self.marks.pop(), before.index(markobject)
        start -= below
        if start < 0:
            raise IndexError('empty stack')
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def _check_keys(self, keys: Sequence[_Value]) -> None:
        if any(key.size > _MAX_KEY_SIZE for key in keys if key.kind == 'other'):
            raise ExcessiveError(f'a key made of more than {_MAX_KEY_SIZE} values')
        kinds = [key.kind for key in keys]
        self._count_keys(numbered=kinds.count('index'), other=kinds.count('other'))

    def _count_keys(self, numbered: int = 0, other: int = 0) -> None:
        self.numbered_keys += numbered
        self.other_keys += other
        if self.numbered_keys > MAX_NUMBERED_KEYS or self.other_keys > MAX_OTHER_KEYS:
            raise ExcessiveError(
                f'more than {MAX_NUMBERED_KEYS:,} integers or {MAX_OTHER_KEYS:,} other values that are not text as keys'
            )


def _value(argument: Any) -> _Value:
    if isinstance(argument, (str, bytes)):
        kind = 'text'
        return _Value(1 + len(argument) // _TEXT_UNIT, kind, argument if isinstance(argument, str) else '')
    if isinstance(argument, int):
        if argument.bit_length() > _MAX_INT_BITS:
            raise ExcessiveError(f'an integer of more than {_MAX_INT_BITS:,} bits')
        return _Value(1, 'index' if 0 <= argument < 2**31 else 'other')
    return _Value()


def _full_name(argument: str | None, taken: Sequence[_Value]) -> str:
    if argument is None:
        return '.'.join(value.text or '1' for value in taken)
    module, _, name = argument.partition(' ')
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    return f'{IMPORT_MAPPING.get(module, module)}.{name}'
