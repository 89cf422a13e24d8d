"""OpenMMLab's packages, or those of their maintained fork, which have the same import names. Needs nothing else."""

from __future__ import annotations

import hashlib
import warnings
from base64 import urlsafe_b64encode
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

# The distributions that provide each import name. Two of a row overwrite each other's files.
PROVIDERS = {
    'mmengine': ('mmengine', 'mmengine-lite', 'onedl-mmengine'),
    'mmcv': ('mmcv', 'mmcv-lite', 'mmcv-full', 'onedl-mmcv'),
    'mmpretrain': ('mmpretrain', 'onedl-mmpretrain'),
}
_INSTALL = (
    'pip install mmengine mmcv-lite mmpretrain, or, for the maintained fork of these, '
    'pip install onedl-mmengine onedl-mmcv onedl-mmpretrain'
)
_PACKAGE = 'mmpretrain_inception'


def require_stack() -> None:
    """Refuse to go on if an import name is missing.

    Raises:
        ImportError: If a package that everything needs is not installed. Its ``name`` is this package's.
    """
    missing = [name for name in PROVIDERS if find_spec(name) is None]
    if missing:
        raise ImportError(f'not installed: {", ".join(missing)}; {_INSTALL}', name=_PACKAGE)


def warn_of_overwritten() -> None:
    """Warn if two distributions overwrite each other's files."""
    line = overwritten()
    if line:
        # At the importer of the package, past this function and the package's own file.
        warnings.warn(line, stacklevel=3)


def require_opencv() -> None:
    """Import OpenCV, which mmcv needs.

    Raises:
        ImportError: If it cannot be imported, with what to install. Its ``name`` is this package's.
    """
    try:
        import_module('cv2')
    except ImportError as error:
        raise ImportError(f'OpenCV cannot be imported: {error}{_remedy(error)}', name=_PACKAGE) from error


def _remedy(error: ImportError) -> str:
    if 'cannot open shared object file' not in str(error):
        return ''
    return (
        '; without a display, pip uninstall opencv-python, then pip install opencv-python-headless; '
        'or install the library, on Debian and Ubuntu by apt-get install libgl1 libglib2.0-0'
    )


def versions(*distributions: str) -> dict[str, str]:
    """Return which of these distributions are installed, with their versions."""
    found = {}
    for distribution in distributions:
        try:
            found[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    return found


def overwritten() -> str:
    """Return a line if several installed distributions provide the same import name, otherwise an empty one."""
    found = {name: versions(*distributions) for name, distributions in PROVIDERS.items()}
    found = {name: several for name, several in found.items() if len(several) > 1}
    if not found:
        return ''
    named = [
        f'{" and ".join(f"{distribution} {version}" for distribution, version in several.items())} '
        f'(the files are of {_winner(name, several)})'
        for name, several in found.items()
    ]
    remove = ' '.join(distribution for several in found.values() for distribution in several)
    return f'installed over each other: {", ".join(named)}; pip uninstall {remove}, then install one of each'


def _winner(name: str, found: dict[str, str]) -> str:
    """Return whose files were written last, by the checksum that each distribution recorded for one of them."""
    owners = [distribution for distribution in found if _wrote(distribution, f'{name}/version.py')]
    return owners[0] if len(owners) == 1 else 'either'


def _wrote(distribution: str, path: str) -> bool:
    """Return whether a file is as this distribution installed it."""
    recorded = next((file for file in metadata.files(distribution) or () if file.as_posix() == path), None)
    if recorded is None or recorded.hash is None:
        return False
    file = Path(recorded.locate())
    digest = hashlib.new(recorded.hash.mode, file.read_bytes() if file.is_file() else b'').digest()
    return urlsafe_b64encode(digest).decode().rstrip('=') == recorded.hash.value
