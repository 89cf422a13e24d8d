"""Published weights by name."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import metafile
from mmpretrain_inception.weights.files.opener import fetch


@dataclass(frozen=True)
class PublishedWeights:
    """Weights that a publisher offers for everybody.

    Attributes:
        name: What ``--weights`` calls them.
        address: Where they are.
        checksum: What is known of the file: ``sha256:DIGITS``, of which there may be only the first, or ``md5:DIGITS``;
            '' if nothing.
        licence: The licence of the publisher's repository, by its SPDX identifier.
        config: Our config with the publisher's preprocessing.
        classes: Names of the classes, in the order of the outputs.
    """

    name: str
    address: str
    checksum: str
    licence: str
    config: Path
    classes: tuple[str, ...]

    def fetch(self) -> Path:
        """Return the local copy of the file, which is downloaded the first time.

        Raises:
            InputError: If it cannot be downloaded, or is not what was published.
        """
        return fetch(self.address)


def published_names() -> tuple[str, ...]:
    """Return the names of all published weights."""
    return tuple(metafile.published())


def nearest(name: str) -> str | None:
    """Return the name of published weights that a mistyped one most probably means; None if no one is near."""
    return next(iter(get_close_matches(name.lower(), published_names(), n=1)), None)


def find(name: str) -> PublishedWeights:
    """Return published weights by their name.

    Args:
        name: One of :func:`published_names`.

    Raises:
        InputError: If there are none of this name; the message has the nearest.
    """
    model = metafile.published().get(name)
    if model is None:
        near = nearest(name)
        hint = f'; did you mean {near}?' if near else ''
        raise InputError(f'{name}: expected a file, an address or one of {", ".join(published_names())}{hint}')
    return PublishedWeights(
        name=name,
        address=model['Weights'],
        checksum=metafile.checksum_of(model['Weights']),
        licence=model['Metadata']['Weights License'],
        config=metafile.ROOT / model['Config'],
        classes=tuple(IMAGENET_CATEGORIES),
    )
