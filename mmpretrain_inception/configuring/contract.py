"""The contract of an exported network, as a config implies it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import DATASETS

_PROBES = ((400, 500), (640, 480))


def num_classes_of(cfg: Config) -> int | None:
    """Return the number of classes of a config's classifier, wherever it stands."""
    parts = [cfg.model.get(part) or {} for part in ('head', 'backbone')]
    return next((part['num_classes'] for part in parts if 'num_classes' in part), None)


def classes_of_dataset(cfg: Config) -> Sequence[str] | None:
    """Return the names that the test dataset gives its classes, without reading its images."""
    dataset = cfg.test_dataloader.dataset
    declared = dataset.get('classes') or dataset.get('metainfo', {}).get('classes')
    if isinstance(declared, (list, tuple)):
        return declared
    found = DATASETS.get(dataset.type)
    return getattr(found, 'METAINFO', {}).get('classes')


def contract_from_config(
    cfg: Config, num_classes: int, *, classes: tuple[str, ...] | None = None, with_preprocess: bool = False
) -> Contract:
    """Return the contract of a config's classifier.

    Args:
        cfg: The config: its data preprocessor, and the size that its test pipeline gives to images.
        num_classes: Number of classes.
        classes: Their names.
        with_preprocess: Whether normalisation goes into the graph.

    Raises:
        InputError: If the preprocessor pads, or images differ in size.
    """
    settings: dict[str, Any] = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor') or {}
    if settings.get('pad_size_divisor', 1) != 1:
        raise InputError('an exported network has images of one size, but data_preprocessor.pad_size_divisor pads them')
    height, width = _image_size(cfg)
    return Contract(
        num_classes=num_classes,
        height=height,
        width=width,
        mean=_three(settings.get('mean') or [0.0]),
        std=_three(settings.get('std') or [1.0]),
        channel_order='RGB' if settings.get('to_rgb') else 'BGR',
        with_preprocess=with_preprocess,
        classes=classes,
        config=Path(cfg.filename or '').name,
    )


def _three(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values) * (3 if len(values) == 1 else 1)


def _image_size(cfg: Config) -> tuple[int, int]:
    """Return height and width after the test pipeline, which have to be those of every image."""
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    pipeline = Compose(deepcopy(cfg.test_dataloader.dataset.pipeline))
    sizes = set()
    with tempfile.TemporaryDirectory() as folder:
        for height, width in _PROBES:
            file = str(Path(folder, f'{height}.png'))
            cv2.imwrite(file, np.zeros((height, width, 3), dtype=np.uint8))
            sizes.add(tuple(pipeline(dict(img_path=file, img_label=0, gt_label=0))['inputs'].shape[-2:]))
    if len(sizes) > 1:
        raise InputError(
            'an exported network has images of one size, but the test pipeline of the config gives '
            f'{" and ".join(f"{height} x {width}" for height, width in sorted(sizes))}; crop them at its end'
        )
    (size,) = sizes
    return size
