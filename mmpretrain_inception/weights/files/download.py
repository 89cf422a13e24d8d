"""Downloads of weights into torch's cache."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process

from mmpretrain_inception.errors import InputError

# As in torch.hub and OpenMMLab's model zoo: the first digits of the sha256, before the suffix.
_HASH = re.compile(r'-([a-f0-9]{8,64})\.')


def download(address: str) -> Path:
    """Return the local copy of a file on the web, and download it the first time.

    Args:
        address: An ``http://`` or ``https://`` address. If its file name ends in digits of a sha256, as in
            ``name-0cc3c7bd.pth``, the file's sha256 must begin with them.

    Raises:
        InputError: If the download fails or has another sha256.
    """
    target = _cached(address)
    if is_main_process() and not target.exists():
        _download(address, target)
    barrier()
    return target


def _cached(address: str) -> Path:
    """Return where torch.hub keeps a file; without a hash in its name, in a folder of its own.

    Several files on Hugging Face are all called ``model.safetensors``.
    """
    name = Path(urlparse(address).path).name
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    return folder / name if _HASH.search(name) else folder / hashlib.sha256(address.encode()).hexdigest()[:16] / name


def _download(address: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = _HASH.search(target.name)
    try:
        torch.hub.download_url_to_file(address, str(target), prefix and prefix[1])
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f'{address} cannot be downloaded: {error}') from error
