"""The table of published weights, which is ``configs/inception_v3/metafile.yml`` and nothing else.

It imports nothing of the package, so that tools can read it without importing torch, which takes seconds.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

_TABLE = 'configs/inception_v3/metafile.yml'
_PACKAGE = Path(__file__).parents[1]
# In a wheel, and in a checkout: its links may be missing where the system has none.
ROOT = next((folder for folder in (_PACKAGE / '.mim', _PACKAGE.parent) if (folder / _TABLE).is_file()), _PACKAGE)


def published() -> dict[str, dict[str, Any]]:
    """Return the models whose weights have a name for ``--weights``, by that name, in the order of the table."""
    models = _models(ROOT / _TABLE)
    return {model['Metadata']['Weights Name']: model for model in models if 'Weights Name' in model.get('Metadata', {})}


def address_of(source: str) -> str:
    """Return the address of published weights for their name, and anything else as it is.

    Args:
        source: A name, file or address.
    """
    model = published().get(source)
    return str(model['Weights']) if model else source


def name_of(address: str) -> str:
    """Return the name of the published weights at an address; '' if there are none."""
    return next((name for name, model in published().items() if model['Weights'] == address), '')


def described(source: str) -> str:
    """Return an address with the name of the weights there, for messages; anything else as it is."""
    name = name_of(source)
    return f'{name} ({source})' if name else source


def is_published(source: str) -> bool:
    """Return whether something is the name or the address of published weights."""
    return name_of(address_of(source)) != ''


def checksum_of(address: str) -> str:
    """Return what the table states of a file, ``sha256:DIGITS`` or ``md5:DIGITS``; '' if nothing.

    The digits of a sha256 may be only the first ones.

    Args:
        address: Where the file is published.
    """
    for model in _models(ROOT / _TABLE):
        if model.get('Weights') == address:
            for kind in ('sha256', 'md5'):
                digits = model['Metadata'].get(f'Weights {kind.upper()}')
                if digits:
                    return f'{kind}:{digits}'
    return ''


@lru_cache(maxsize=2)
def _models(table: Path) -> tuple[dict[str, Any], ...]:
    # libyaml's loader, where PyYAML has it, takes a tenth of the time.
    loader = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
    return tuple(yaml.load(table.read_text(encoding='utf-8'), loader)['Models'])
