"""Who calls the parameters what, as tables of prefixes, and how a file's scheme shows in its names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.families.inception_v3.names import AUX_PREFIX, CONVOLUTIONS, FOLDED, OURS


class Scheme(NamedTuple):
    """A publisher's way to name the parameters.

    Attributes:
        name: What ``--source`` calls it.
        title: Whose names they are, for messages.
        prefixes: Pairs of a prefix in the file and the prefix that replaces it in ours. The first that fits counts.
    """

    name: str
    title: str
    prefixes: tuple[tuple[str, str], ...]


_CLASSIFIERS = (('fc.', 'head.fc.'), ('AuxLogits.', AUX_PREFIX))

# pytorch-fid keeps the layers between its features in sequences, whose pools count as positions too.
_FID_BLOCKS = (
    ('Conv2d_1a_3x3', 'Conv2d_2a_3x3', 'Conv2d_2b_3x3'),
    ('Conv2d_3b_1x1', 'Conv2d_4a_3x3'),
    ('Mixed_5b', 'Mixed_5c', 'Mixed_5d', 'Mixed_6a', 'Mixed_6b', 'Mixed_6c', 'Mixed_6d', 'Mixed_6e'),
    ('Mixed_7a', 'Mixed_7b', 'Mixed_7c'),
)

_KERAS_PARTS = (
    ('conv2d.{}.kernel', 'conv.weight'),
    ('batch_normalization.{}.gamma', 'bn.weight'),
    ('batch_normalization.{}.beta', 'bn.bias'),
    ('batch_normalization.{}.moving_mean', 'bn.running_mean'),
    ('batch_normalization.{}.moving_variance', 'bn.running_var'),
)

# Where two explain a file equally well, the upper one counts.
SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        Scheme('ours', 'this package', (('', ''),)),
        Scheme('backbone', 'a bare backbone', (('', 'backbone.'),)),
        Scheme('torchvision', 'torchvision or timm', (*_CLASSIFIERS, ('', 'backbone.'))),
        Scheme(
            'mmpretrain',
            'mmpretrain',
            (('backbone.fc.', 'head.fc.'), ('backbone.AuxLogits.', AUX_PREFIX), ('backbone.', 'backbone.')),
        ),
        Scheme(
            'pytorch-fid',
            "pytorch-fid's InceptionV3",
            tuple(
                (f'blocks.{block}.{position}.', f'backbone.{layer}.')
                for block, layers in enumerate(_FID_BLOCKS)
                for position, layer in enumerate(layers)
            ),
        ),
        Scheme(
            'keras',
            'Keras',
            (
                *(
                    (theirs.format(position), f'backbone.{convolution}.{ours}')
                    for theirs, ours in _KERAS_PARTS
                    for position, convolution in enumerate(CONVOLUTIONS)
                ),
                ('dense.0.kernel', 'head.fc.weight'),
                ('dense.0.bias', 'head.fc.bias'),
            ),
        ),
    )
}

# Names that mean the same scheme; torch-fidelity's extractor bears torchvision's names.
ALIASES = {'timm': 'torchvision', 'torch-fidelity': 'torchvision'}

# What data-parallel training and torch.compile put before every name.
WRAPPERS = ('module.', '_orig_mod.')

_KNOWN = frozenset((*OURS, *FOLDED))


def unwrapped(name: str) -> str:
    """Return ``name`` without the prefixes of ``WRAPPERS``."""
    for wrapper in WRAPPERS:
        name = name.removeprefix(wrapper)
    return name


def to_our_name(name: str, scheme: Scheme) -> str:
    """Return our name of the parameter that ``scheme`` calls ``name``; one that it does not know stays as it is."""
    for theirs, ours in scheme.prefixes:
        if name.startswith(theirs):
            return ours + name[len(theirs) :]
    return name


def detect_scheme(names: Iterable[str], origin: str = 'the state dict') -> Scheme:
    """Tell by the names of its parameters who wrote a file.

    Args:
        names: The names in the file.
        origin: The file, for the message. Defaults to ``'the state dict'``.

    Returns:
        The scheme in which most names are names of Inception V3.

    Raises:
        InputError: If fewer than half of the names are, in any scheme.
    """
    listed = list(names)
    hits = {scheme.name: recognised(listed, scheme) for scheme in SCHEMES.values()}
    best = max(hits, key=lambda name: hits[name])
    if 2 * hits[best] <= len(listed):
        shown = ', '.join(listed[:3]) or 'none'
        raise InputError(
            f'{origin} is not Inception V3: only {hits[best]} of its {len(listed)} names are known '
            f'(its first names: {shown})'
        )
    return SCHEMES[best]


def named_scheme(name: str, names: Iterable[str], origin: str = 'the state dict') -> Scheme:
    """Return the scheme that the user named, provided that the file is written in it.

    Args:
        name: ``'auto'``, a key of ``SCHEMES`` or one of ``ALIASES``.
        names: The names in the file.
        origin: The file, for the message. Defaults to ``'the state dict'``.

    Raises:
        InputError: If there is no such scheme, or the file is written in another one.
    """
    listed = list(names)
    found = detect_scheme(listed, origin)
    if name == 'auto':
        return found
    scheme = SCHEMES.get(ALIASES.get(name, name))
    if scheme is None:
        raise InputError(f'the source is one of {", ".join(("auto", *SCHEMES, *ALIASES))}, but {name!r} came')
    if recognised(listed, scheme) < recognised(listed, found):
        raise InputError(f'{origin} was to have the names of {scheme.title}, but has those of {found.title}')
    return scheme


def recognised(names: Iterable[str], scheme: Scheme) -> int:
    """Return how many of ``names`` are names of Inception V3 in ``scheme``."""
    return sum(to_our_name(name, scheme) in _KNOWN for name in names)
