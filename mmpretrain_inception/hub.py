"""Our models in mmpretrain's list of models by name, and under its inferencers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import Compose, default_collate
from mmpretrain.apis import FeatureExtractor, ImageClassificationInferencer
from mmpretrain.apis.model import ModelHub

from mmpretrain_inception.datasets import LoadImage

_MIM = Path(__file__).parent / '.mim'


def register_models() -> None:
    """Make ``mmpretrain.list_models``, ``get_model``, ``inference_model`` and ``FeatureExtractor`` know our configs."""
    # Where a checkout cannot hold links (Windows without developer mode), names are not known, but all else works.
    if (_MIM / 'configs').is_dir():
        ModelHub.register_model_index(_MIM / 'model-index.yml', config_prefix=_MIM)


def let_pipelines_load() -> None:
    """Make mmpretrain's inferencers leave files to a pipeline that begins with our ``LoadImage``.

    They decode files themselves, by OpenCV and its defaults whatever the pipeline says, so that some kinds of files get
    other pixels than in training and testing, and have no limit on their size. Arrays are taken as they come; pipelines
    of others go the old way. It can go when mmpretrain's inferencers take their loading from the pipeline.
    """
    for inferencer in (ImageClassificationInferencer, FeatureExtractor):
        inferencer.preprocess = _leaving_files(inferencer.preprocess)


def _leaving_files(theirs: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def preprocess(inferencer: Any, inputs: list[Any], batch_size: int = 1) -> Iterator[Any]:
        steps = inferencer.pipeline.transforms
        if not steps or not isinstance(steps[0], LoadImage):
            yield from theirs(inferencer, inputs, batch_size)
            return
        pipeline = Compose([_as_sample, *steps])
        yield from map(default_collate, inferencer._get_chunk_data(map(pipeline, inputs), batch_size))

    return preprocess


def _as_sample(image: str | Path | np.ndarray) -> dict[str, Any]:
    if isinstance(image, np.ndarray):
        return dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
    return dict(img_path=str(image))
