"""What goes into an exported network and what comes out, as a JSON document in the file's metadata."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.version import __version__

Precision = Literal['fp32', 'bf16', 'fp16', 'int8']
ChannelOrder = Literal['RGB', 'BGR']

PRECISIONS: tuple[str, ...] = get_args(Precision)
# The name of the document among a file's metadata.
KEY = 'mmpretrain_inception'
INPUT_NAME, OUTPUT_NAME = 'images', 'logits'
_VERSION = 1
# Which dtype and layout go together: what a data preprocessor returns, and what a decoder of images does.
_FORMS = {False: ('float32', 'NCHW'), True: ('uint8', 'NHWC')}


@dataclass(frozen=True)
class Contract:
    """The input contract, the classes and the origin of an exported network, which maps ``images`` to ``logits``.

    Without preprocessing in the graph, the input is float32 of shape (N, 3, height, width), in the network's
    :attr:`channel_order` and normalised: ``(pixel - mean) / std`` with pixels from 0 to 255. With it, the input is
    uint8 of shape (N, height, width, 3) in RGB, whatever the network's own order. N is any number from 1 on. The
    output is float32 of shape (N, num_classes), before the softmax.

    Args:
        num_classes: Number of classes.
        height: Height of the images in pixels.
        width: Their width.
        mean: Mean of each channel, in the network's order.
        std: Deviation of each channel, in the network's order.
        channel_order: The network's order of channels.
        with_preprocess: Whether the graph normalises.
        precision: Of the computation.
        classes: Names of the classes in the order of the logits. Defaults to None: unknown.
        config: Name of the config that the network was built from.
        package_version: Version of this package that wrote the file.

    Raises:
        InputError: If a value cannot be.
    """

    num_classes: int
    height: int
    width: int
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    channel_order: ChannelOrder = 'RGB'
    with_preprocess: bool = False
    precision: Precision = 'fp32'
    classes: tuple[str, ...] | None = None
    config: str = ''
    package_version: str = __version__

    def __post_init__(self) -> None:
        for name, accepts in _CHECKS.items():
            if not accepts(self):
                raise InputError(f'the contract of an exported file has no valid {name}: {getattr(self, name)!r}')

    @property
    def dtype(self) -> str:
        """NumPy's name of the input's type."""
        return _FORMS[self.with_preprocess][0]

    @property
    def layout(self) -> str:
        """Order of the input's axes."""
        return _FORMS[self.with_preprocess][1]

    @property
    def input_channel_order(self) -> ChannelOrder:
        """Order of the input's channels."""
        return 'RGB' if self.with_preprocess else self.channel_order

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Shape of the input without its first axis, the batch."""
        return (self.height, self.width, 3) if self.with_preprocess else (3, self.height, self.width)

    def to_json(self) -> str:
        """Return the document that goes into the file: the attributes, and what follows from them for the input."""
        followed = dict(
            input=INPUT_NAME,
            output=OUTPUT_NAME,
            layout=self.layout,
            dtype=self.dtype,
            input_channel_order=self.input_channel_order,
        )
        return json.dumps(dict(version=_VERSION, **asdict(self), **followed), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | None, origin: str) -> Contract:
        """Read the document.

        Args:
            text: The document, or None where the file's metadata has none.
            origin: The file, for messages.

        Raises:
            InputError: If it is absent, damaged, or of another version.
        """
        if not text:
            raise InputError(
                f'{origin}: a file that tools/export.py wrote was expected, but it holds no input contract'
            )
        try:
            document = json.loads(text)
            version = document.pop('version')
            known = {field.name for field in fields(cls)}
            values = {name: _plain(value) for name, value in document.items() if name in known}
            if version == _VERSION:
                return cls(**values)
        except (InputError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise InputError(f'{origin}: its input contract is damaged: {error}') from error
        raise InputError(
            f'{origin}: its input contract is of version {version}, but {_VERSION} was expected; export it again'
        )


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_numbers(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 3 and all(type(value) in (int, float) for value in values)


def _name_classes(contract: Contract) -> bool:
    names = contract.classes
    return names is None or (len(names) == contract.num_classes and all(isinstance(name, str) for name in names))


_CHECKS = {
    'num_classes': lambda contract: _is_count(contract.num_classes),
    'height': lambda contract: _is_count(contract.height),
    'width': lambda contract: _is_count(contract.width),
    'mean': lambda contract: _are_numbers(contract.mean),
    'std': lambda contract: _are_numbers(contract.std) and all(value > 0 for value in contract.std),
    'channel_order': lambda contract: contract.channel_order in get_args(ChannelOrder),
    'with_preprocess': lambda contract: isinstance(contract.with_preprocess, bool),
    'precision': lambda contract: contract.precision in PRECISIONS,
    'classes': _name_classes,
    'config': lambda contract: isinstance(contract.config, str),
    'package_version': lambda contract: isinstance(contract.package_version, str),
}
