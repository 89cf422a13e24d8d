"""What a network takes and returns, as a JSON document in the metadata of an exported file or a checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from math import isfinite
from typing import Any, Literal, get_args

from mmpretrain_inception.deploy.parts import Network, is_network
from mmpretrain_inception.deploy.preparation import Preparation, is_preparation
from mmpretrain_inception.deploy.table import PRECISIONS, Precision
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.version import __version__

ChannelOrder = Literal['RGB', 'BGR']
Activation = Literal['softmax', 'sigmoid']

# The document's name in a file's metadata.
KEY = 'mmpretrain_inception'
INPUT_NAME, OUTPUT_NAME = 'images', 'logits'
# Version 2 added preparation, activation, threshold and topk.
_VERSION = 2
# By with_preprocess: dtype and layout that a data preprocessor returns, and that an image decoder returns.
_FORMS = {False: ('float32', 'NCHW'), True: ('uint8', 'NHWC')}


@dataclass(frozen=True)
class Contract:
    """Input, output, classes and origin of a network, which maps ``images`` to ``logits``.

    Exported files and checkpoints have it. A checkpoint's says also how the network is built.

    Without preprocessing in the graph, the input is float32 of shape (N, 3, height, width), in the network's
    :attr:`channel_order` and normalised: ``(pixel - mean) / std`` with pixels from 0 to 255. With it, the input is
    uint8 of shape (N, height, width, 3) in RGB, whatever the network's own order. N is at least 1. The output is
    float32 of shape (N, num_classes); :attr:`activation` turns it into scores.

    Args:
        num_classes: Number of classes.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        mean: Mean of each channel, in the network's order.
        std: Standard deviation of each channel, in the network's order.
        channel_order: The network's channel order.
        with_preprocess: Whether the graph normalises.
        precision: Precision of the computation.
        classes: Names of the classes in the order of the logits. Defaults to None: unknown.
        preparation: The steps from an image file to pixels of height x width, in order; see
            :mod:`mmpretrain_inception.deploy.preparation`. Defaults to None: unknown.
        activation: Turns logits into scores: ``'softmax'`` for one label per image, ``'sigmoid'`` for several. None:
            unknown. Defaults to ``'softmax'``.
        threshold: With ``'sigmoid'``, the score from which on a class is predicted. Defaults to None.
        topk: With ``'sigmoid'``, instead of a threshold, how many of the best classes are predicted. Defaults to None.
        network: In checkpoints, what the network is built with; see :mod:`mmpretrain_inception.deploy.parts`.
            Defaults to None: the file contains the network.
        val_share: Share of the images that were held out of the training by their content, so that a test uses no
            others. Defaults to None: the data were divided otherwise.
        config: Name of the config that the network was built from.
        package_version: Version of this package that wrote the file.

    Raises:
        InputError: If a value is invalid.
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
    preparation: Preparation | None = None
    activation: Activation | None = 'softmax'
    threshold: float | None = None
    topk: int | None = None
    network: Network | None = None
    val_share: float | None = None
    config: str = ''
    package_version: str = __version__

    def __post_init__(self) -> None:
        for name, accepts in _CHECKS.items():
            if not accepts(self):
                raise InputError(f'the contract of a model: {name} is invalid: {getattr(self, name)!r}')

    @property
    def dtype(self) -> str:
        """NumPy's name of the input's data type."""
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
        """Shape of the input without the batch axis."""
        return (self.height, self.width, 3) if self.with_preprocess else (3, self.height, self.width)

    def to_json(self) -> str:
        """Return the document for the file: the attributes, and what they imply for input and output."""
        derived = dict(
            input=INPUT_NAME,
            output=OUTPUT_NAME,
            layout=self.layout,
            dtype=self.dtype,
            input_channel_order=self.input_channel_order,
        )
        values = asdict(self)
        for name in ('network', 'val_share'):
            if values[name] is None:
                del values[name]
        return json.dumps(dict(version=_VERSION, **values, **derived), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | None, origin: str) -> Contract:
        """Read the document.

        Args:
            text: The document, or None if the file has none.
            origin: The file, for messages.

        Raises:
            InputError: If the document is missing, damaged, or of another version.
        """
        if not text:
            raise InputError(f'{origin}: expected a file written by tools/export.py, got one without an input contract')
        try:
            document = json.loads(text)
            if not isinstance(document, dict) or 'version' not in document:
                raise InputError('expected an object with a version')
            version = document['version']
            known = {field.name for field in fields(cls)}
            values = {name: _plain(value) for name, value in document.items() if name in known}
            if version == _VERSION:
                return cls(**values)
        except (InputError, ValueError, TypeError, RecursionError) as error:
            raise InputError(f'{origin}: its input contract is damaged: {error}') from error
        raise InputError(f'{origin}: expected an input contract of version {_VERSION}, got {version}; export it again')


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_numbers(values: Any) -> bool:
    return isinstance(values, tuple) and len(values) == 3 and all(map(_is_number, values))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and isfinite(value)


def _name_classes(contract: Contract) -> bool:
    names = contract.classes
    if names is None:
        return True
    return (
        isinstance(names, tuple) and len(names) == contract.num_classes and all(isinstance(name, str) for name in names)
    )


def _is_threshold(contract: Contract) -> bool:
    return contract.threshold is None or (contract.activation == 'sigmoid' and _is_number(contract.threshold))


def _is_topk(contract: Contract) -> bool:
    # Several labels need one of the two.
    if contract.activation != 'sigmoid' or contract.threshold is not None:
        return contract.topk is None
    return contract.topk is not None and _is_count(contract.topk) and contract.topk <= contract.num_classes


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
    'preparation': lambda contract: contract.preparation is None or is_preparation(contract.preparation),
    'activation': lambda contract: contract.activation in (*get_args(Activation), None),
    'threshold': _is_threshold,
    'topk': _is_topk,
    'network': lambda contract: contract.network is None or is_network(contract.network),
    'val_share': lambda contract: contract.val_share is None or _is_number(contract.val_share),
    'config': lambda contract: isinstance(contract.config, str),
    'package_version': lambda contract: isinstance(contract.package_version, str),
}
