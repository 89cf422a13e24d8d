"""What an export needs from a config: the classifier with its weights, the contract, and images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.ensemble import load_member
from mmpretrain_inception.models.exported_classifier import RawImages
from mmpretrain_inception.registry import DATASETS, MODELS
from mmpretrain_inception.weights import class_names

# Of each phase, so that an export can be repeated.
_SEED = 0
_PROBES = ((400, 500), (640, 480))

Prepare = Callable[[dict[str, Any]], dict[str, Any]]


def load_classifier(cfg: Config, checkpoint: str) -> tuple[BaseModel, tuple[str, ...] | None]:
    """Build a config's model with a checkpoint's weights, as ``tools/test.py`` evaluates it.

    Args:
        cfg: The config.
        checkpoint: File or address, of any publisher. Of mmengine's checkpoints with averaged parameters, the average.

    Returns:
        The classifier in evaluation mode, and the names of its classes as far as the checkpoint or the dataset knows
        as many as the model has.

    Raises:
        InputError: If the file cannot be read safely or does not fill the model.
    """
    settings = deepcopy(dict(cfg.model))
    settings.setdefault('data_preprocessor', deepcopy(cfg.get('data_preprocessor')))
    model = MODELS.build(settings)
    named = (class_names(load_member(model, checkpoint)), classes_of_dataset(cfg))
    number = num_classes_of(cfg)
    fitting = [tuple(map(str, names)) for names in named if names and number in (None, len(names))]
    return model.eval(), next(iter(fitting), None)


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


def training_images(cfg: Config, model: BaseModel, contract: Contract, count: int) -> list[np.ndarray]:
    """Return images of the config's training pipeline in the form of a contract, the same ones each time.

    Args:
        cfg: The config.
        model: The classifier, whose preprocessor normalises.
        contract: The form. Images that are trained on in another size are resized.
        count: Number of images; fewer come where the data holds fewer.

    Returns:
        Batches of one image.
    """
    if cfg.get('train_dataloader') is None:
        raise InputError('int8 is calibrated on training images, but the config has no train_dataloader')
    return list(_images(cfg.train_dataloader, cfg, _prepare(model, contract), contract, count))


def test_images(cfg: Config, model: BaseModel, contract: Contract, count: int) -> np.ndarray | None:
    """Return the first images of the test data in the form of a contract; None where the data is not there."""
    try:
        images = list(_images(cfg.test_dataloader, cfg, _prepare(model, contract), contract, count))
    except (InputError, FileNotFoundError):
        return None
    return np.concatenate(images)


def _prepare(model: BaseModel, contract: Contract) -> Prepare:
    return RawImages() if contract.with_preprocess else model.data_preprocessor


def _images(
    loader: dict[str, Any], cfg: Config, prepare: Prepare, contract: Contract, count: int
) -> Iterator[np.ndarray]:
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    set_random_seed(_SEED)
    # In this process: each worker would have a seed of its own.
    single = dict(batch_size=1, num_workers=0, persistent_workers=False, drop_last=False)
    kept = {key: value for key, value in deepcopy(dict(loader)).items() if key != 'prefetch_factor'}
    for _, data in zip(range(count), Runner.build_dataloader({**kept, **single}, seed=_SEED)):
        images = np.asarray(prepare(data)['inputs'])
        yield _resized(images, contract)


def _resized(images: np.ndarray, contract: Contract) -> np.ndarray:
    """Return a batch of one image in the contract's size and type."""
    image = images[0] if contract.with_preprocess else images[0].transpose(1, 2, 0)
    if image.shape[:2] != (contract.height, contract.width):
        image = cv2.resize(image, (contract.width, contract.height), interpolation=cv2.INTER_AREA)
    if contract.with_preprocess and image.dtype != np.uint8:
        image = np.clip(np.rint(image), 0, 255)
    laid_out = image if contract.with_preprocess else image.transpose(2, 0, 1)
    return np.ascontiguousarray(laid_out[None], dtype=contract.dtype)
