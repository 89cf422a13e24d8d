"""mmengine's local files, written atomically."""

from __future__ import annotations

from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

from mmpretrain_inception.utils.atomic_file import atomic_write

ATOMIC_LOCAL = 'mmpretrain_inception.atomic_local'


class AtomicLocalBackend(LocalBackend):
    """``LocalBackend`` whose files get their names when they are whole and on the disk.

    mmengine 0.10.7 writes a checkpoint under its final name, where a kill leaves a part of it. Chosen by
    ``backend_args=dict(backend='mmpretrain_inception.atomic_local')`` wherever mmengine takes ``backend_args``.
    """

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write ``obj`` to ``filepath``, whose folder is made if need be.

        Raises:
            InputError: If it cannot be written. An older file is then as it was.
        """
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(filepath) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = 'utf-8') -> None:
        """Write text, as :meth:`put`."""
        self.put(obj.encode(encoding), filepath)


register_backend(ATOMIC_LOCAL, AtomicLocalBackend, force=True)
