"""What an export needs from a config: the classifier with its weights, the contract, and images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.exported_classifier import RawImages
from mmpretrain_inception.deploy.from_config import classes_of_dataset, num_classes_of
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import MODELS
from mmpretrain_inception.utils.progress import progress
from mmpretrain_inception.weights import class_names, load_into

# Of each phase, so that an export can be repeated.
_SEED = 0

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
    named = (class_names(load_into(model, checkpoint).meta), classes_of_dataset(cfg))
    number = num_classes_of(cfg)
    fitting = [tuple(map(str, names)) for names in named if names and number in (None, len(names))]
    return model.eval(), next(iter(fitting), None)


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
    images = []
    with progress('images to calibrate on', total=count) as bar:
        for image in _images(cfg.train_dataloader, cfg, _prepare(model, contract), contract, count):
            images.append(image)
            bar.advance()
    return images


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
