"""Fitting a config to a folder of one's own images."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config

from mmpretrain_inception.datasets.file_list_dataset import list_classes
from mmpretrain_inception.deploy.backends.table import is_exported
from mmpretrain_inception.deploy.runtimes import read_contract
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import class_names, open_weights


def use_image_folder(cfg: Config, checkpoint: str | None = None) -> None:
    """Fit a config to ``cfg.image_folder``: data, class names, and the number of classes wherever it stands.

    Args:
        cfg: The config; its ``image_folder`` has ``train/<class>/*`` and ``val/<class>/*``. For testing, ``train`` may
            be missing.
        checkpoint: A checkpoint to test. Its own class names come first, since they number its outputs. Defaults to
            None: the names of the folders in ``train``.

    Raises:
        ValueError: If the folder is missing or has fewer than two classes.
    """
    folder = Path(cfg.image_folder).expanduser()
    if not folder.is_dir():
        raise InputError(f'{folder}: a folder with train/<class>/* and val/<class>/* was expected, but there is none')
    classes = (checkpoint and _classes_of_checkpoint(checkpoint)) or list_classes(str(folder / 'train'))
    if len(classes) < 2:
        raise InputError(
            f'{folder / "train"}: folders of at least two classes were expected, but only {classes[0]} came'
        )
    for phase, split in (('train', 'train'), ('val', 'val'), ('test', 'val')):
        loader = cfg.get(f'{phase}_dataloader')
        if loader is not None:
            loader.dataset.update(data_root=str(folder), data_prefix=split, classes=classes)
    set_num_classes(cfg, len(classes))


def set_num_classes(cfg: Config, number: int) -> None:
    """Set the number of classes wherever a classifier's config has one.

    Args:
        cfg: The config of a classifier.
        number: Number of classes.
    """
    # mmpretrain's own Inception V3 holds its classifier in the backbone.
    for part in (cfg.model.backbone, cfg.model.head, cfg.data_preprocessor):
        if 'num_classes' in part:
            part.num_classes = number


def _classes_of_checkpoint(checkpoint: str) -> list[str] | None:
    """Return the class names that a checkpoint carries; what is wrong with a file shows when its weights are loaded."""
    if is_exported(checkpoint):
        return list(read_contract(checkpoint).classes or ()) or None
    try:
        opened = open_weights(checkpoint)
    except InputError:
        return None
    names = class_names(opened.meta)
    # A model is built for them before its weights are compared, so that their number has to be one of the file's.
    return list(names) if any(tensor.shape[:1] == (len(names),) for tensor in opened.tensors.values()) else None
