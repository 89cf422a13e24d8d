"""Atomic writes for mmengine's local files."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmpretrain_inception.utils.atomic_file import atomic_write

ATOMIC_LOCAL = 'mmpretrain_inception.atomic_local'


class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` that gives a file its name only when it is complete and on the disk.

    mmengine 0.10.7 writes a checkpoint under its final name, where a kill leaves half of it. Use it wherever mmengine
    takes ``backend_args``: ``backend_args=dict(backend='mmpretrain_inception.atomic_local')``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``, and create its folder if necessary.

        Raises:
            InputError: If it cannot be written. An older file is unchanged.
        """
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(filepath) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text, as :meth:`put`."""
        self.put(obj.encode(encoding), filepath)


register_backend(ATOMIC_LOCAL, AtomicLocalBackend, force=True)
