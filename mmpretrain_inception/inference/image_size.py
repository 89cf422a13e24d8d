"""A model for images of another size."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Any

from mmengine.config import Config
from mmengine.dataset import Compose

from mmpretrain_inception.configuring.config_file import set_at
from mmpretrain_inception.configuring.image_size import check_image_size, image_size, resize_images
from mmpretrain_inception.deploy.pipeline import describe_pipeline, pipeline_of
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.inference.model import Model


def with_image_size(model: Model, size: Any) -> Model:
    """Return the same network with images of another size, as ``tools/test.py --image-size`` prepares them.

    Args:
        model: A model whose file is no exported one.
        size: Height, or height and width, in pixels: 224, '224', '224x320' or (224, 320).

    Raises:
        UsageError: If it is no size, or the network or the preparation has no such size.
    """
    contract = model.contract
    if model.exported:
        raise UsageError(
            f'--image-size {size}: {model.origin} is an exported file for {contract.height} x {contract.width} px; '
            'export it again with --image-size'
        )
    # The preparation in the form that the options of the other tools change.
    cfg = Config(
        dict(
            model=dict(contract.network or {}),
            test_dataloader=dict(dataset=dict(pipeline=pipeline_of(contract.preparation or ()))),
        )
    )
    meaning = resize_images(cfg, size)
    for key, value in chain(meaning.main.items(), meaning.follows.items()):
        set_at(cfg, key, value)
    check_image_size(cfg, size)
    preparation, _ = describe_pipeline(Compose(cfg.test_dataloader.dataset.pipeline).transforms)
    height, width = image_size(cfg, 'test') or (contract.height, contract.width)
    changed = replace(contract, preparation=preparation, height=height, width=width)
    return Model(model.network, changed, model.origin)
