"""Choose the back-end of a file or of an export."""

from __future__ import annotations

from pathlib import Path

from mmpretrain_inception.deploy.table import BACKENDS, EXPORTED_SUFFIXES, PRECISIONS, Backend
from mmpretrain_inception.errors import UsageError


def backend_of(path: str | Path) -> Backend:
    """Return the back-end of a file by its ending.

    Raises:
        UsageError: If no back-end has this ending.
    """
    for backend in BACKENDS.values():
        if Path(path).suffix == backend.suffix:
            return backend
    raise UsageError(f'{path}: expected a file ending in {", ".join(EXPORTED_SUFFIXES)}')


def exported_files(path: str | Path) -> list[Path]:
    """Return the files that an exported model consists of.

    Args:
        path: The one that names it.
    """
    companion = backend_of(path).companion
    return [Path(path), *([Path(path).with_suffix(companion)] if companion else [])]


def choose_backend(name: str, precision: str, path: str | Path) -> Backend:
    """Return the back-end for an export.

    Args:
        name: Key of :data:`BACKENDS`.
        precision: One of ``fp32``, ``bf16``, ``fp16`` and ``int8``.
        path: The file to write.

    Raises:
        UsageError: If the runtime, the precision and the ending of the file do not fit together.
    """
    if name not in BACKENDS:
        raise UsageError(f'expected one of {", ".join(BACKENDS)} as runtime, got {name}')
    if precision not in PRECISIONS:
        raise UsageError(f'expected one of {", ".join(PRECISIONS)} as precision, got {precision}')
    backend = BACKENDS[name]
    if Path(path).suffix != backend.suffix:
        raise UsageError(f'{path}: expected a file ending in {backend.suffix} for {name}')
    if precision in backend.refused:
        others = [other.name for other in BACKENDS.values() if precision not in other.refused]
        own = [other for other in PRECISIONS if other not in backend.refused]
        raise UsageError(
            f'{name} does not support {precision}: {backend.refused[precision]}; '
            f'use {precision} with {" or ".join(others)}, or {", ".join(own)} with {name}'
        )
    return backend
