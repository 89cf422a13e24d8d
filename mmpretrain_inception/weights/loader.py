"""How mmengine reads checkpoints while this package is imported: any published format, and never a pickle of objects.

mmengine 0.10.7 knows ``torch.load`` only, which refuses the checkpoints of mmengine's own Runner since torch 2.6. The
loaders here take its place for local files and web addresses; for a file that ``torch.load(..., weights_only=True)``
opens they return the same. They can go when mmengine reads its own checkpoints and those of other publishers.
"""

from __future__ import annotations

from typing import Any

from mmengine.runner import CheckpointLoader

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights.files.opener import open_weights


# mmengine names the kind of source in its log by what follows `load_from_` in the name of the function.
@CheckpointLoader.register_scheme(prefixes='', force=True)
def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a local file.

    Args:
        filename: The file; ``~`` stands for the home folder.
        map_location: As in ``torch.load``.

    Returns:
        What the file holds, with the parameters under ``state_dict``, by the names in the file.

    Raises:
        InputError: If the file is missing, damaged, of another kind or holds objects.
    """
    return open_weights(filename).checkpoint


@CheckpointLoader.register_scheme(prefixes=('http://', 'https://'), force=True)
def load_from_http(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Read a file from the web, once downloaded from torch's cache.

    Args:
        filename: The address. Where its file name ends in the digits of a sha256, as in ``name-0cc3c7bd.pth``, the
            file has to begin with them.
        map_location: As in ``torch.load``.

    Returns:
        As :func:`load_from_local`.

    Raises:
        InputError: If the download fails or has another sha256, or as for :func:`load_from_local`.
    """
    return open_weights(filename).checkpoint


# mmengine's own readers of these call ``torch.load`` as the environment says, some of them with any object.
@CheckpointLoader.register_scheme(
    prefixes=(
        *('modelzoo://', 'torchvision://', 'open-mmlab://', 'openmmlab://', 'mmcls://', 'pavi://'),
        *(r'(\S+\:)?s3://', r'(\S+\:)?petrel://'),
    ),
    force=True,
)
def load_from_elsewhere(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Refuse an address of mmengine's other schemes.

    Raises:
        InputError: Always.
    """
    raise InputError(f'{filename}: a file or an address with http:// or https:// was expected')
