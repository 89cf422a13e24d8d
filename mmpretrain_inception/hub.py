"""Make mmpretrain's model index and inferencers, and mmengine's loaders, work with our models."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import mmengine.runner.checkpoint as mmengine_checkpoint
import numpy as np
from mmengine.dataset import Compose, default_collate
from mmengine.model import PretrainedInit, update_init_info
from mmpretrain.apis import FeatureExtractor, ImageClassificationInferencer
from mmpretrain.apis.model import ModelHub
from torch import nn

from mmpretrain_inception.datasets import LoadImage
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.modules import unwrap
from mmpretrain_inception.weights import load_into, networks_in, open_weights

_MIM = Path(__file__).parent / '.mim'

# Models that start from a file: its name, and the versions of the parameters that it left at initialisation.
_started: WeakKeyDictionary[nn.Module, tuple[str, dict[str, int]]] = WeakKeyDictionary()


def register_models() -> None:
    """Make ``mmpretrain.list_models``, ``get_model``, ``inference_model`` and ``FeatureExtractor`` know our configs."""
    # A checkout without links (Windows without developer mode) knows no model names; everything else works.
    if (_MIM / 'configs').is_dir():
        ModelHub.register_model_index(_MIM / 'model-index.yml', config_prefix=_MIM)


def let_publishers_files_load() -> None:
    """Make mmengine's ``load_checkpoint`` and ``Pretrained`` use :func:`load_into` for models with our backbone.

    mmpretrain's ``get_model`` and inferencers, other projects' ``init_model``, and ``init_cfg`` call them. mmengine
    would load what fits and ignore the rest. On torch >= 2.6 it would refuse the checkpoints of its own Runner or, in
    a fork of mmengine, unpickle any object. Other models load as before.
    """
    theirs = mmengine_checkpoint.load_checkpoint
    ours = _on_our_road(theirs)
    # Other modules may have imported the function by its name already.
    for module in list(sys.modules.values()):
        if getattr(module, '__dict__', {}).get('load_checkpoint') is theirs:
            module.load_checkpoint = ours  # type: ignore[attr-defined]
    PretrainedInit.__call__ = _initialising_ours(PretrainedInit.__call__)


def _on_our_road(theirs: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(theirs)
    def load_checkpoint(model: nn.Module, filename: str, *args: Any, **kwargs: Any) -> Any:
        if not networks_in(model):
            return theirs(model, filename, *args, **kwargs)
        loaded = load_into(unwrap(model), filename)
        return dict(state_dict=loaded.state_dict, meta=loaded.meta)

    return load_checkpoint


def _initialising_ours(theirs: Callable[..., None]) -> Callable[..., None]:
    @wraps(theirs)
    def initialise(self: PretrainedInit, module: nn.Module) -> None:
        if not networks_in(module):
            return theirs(self, module)
        opened = open_weights(self.checkpoint)
        if self.prefix is not None:
            prefix = f'{self.prefix.removesuffix(".")}.'
            inside = {name[len(prefix) :]: value for name, value in opened.tensors.items() if name.startswith(prefix)}
            opened = replace(opened, tensors=inside, checkpoint={})
        loaded = load_into(module, opened, new_classes=True)
        parameters = dict(module.named_parameters())
        left = {name: parameters[name]._version for name in loaded.left_at_init if name in parameters}
        _started[module] = opened.origin, left
        if hasattr(module, '_params_init_info'):
            update_init_info(module, init_info=self._get_init_info())
        return None

    return initialise


def let_pipelines_load() -> None:
    """Make mmpretrain's inferencers pass files to a pipeline that begins with our ``LoadImage``.

    Otherwise they decode files with OpenCV's defaults, whatever the pipeline says. Some kinds of files then get other
    pixels than in training and testing, and their size is not limited. Arrays and other pipelines work as before. This
    can be removed when mmpretrain's inferencers load files as the pipeline says.
    """
    for inferencer in (ImageClassificationInferencer, FeatureExtractor):
        inferencer.preprocess = _leaving_files(inferencer.preprocess)


def _leaving_files(theirs: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    def preprocess(inferencer: Any, inputs: list[Any], batch_size: int = 1) -> Iterator[Any]:
        _refuse_random_layers(inferencer)
        steps = inferencer.pipeline.transforms
        if not steps or not isinstance(steps[0], LoadImage):
            yield from theirs(inferencer, inputs, batch_size)
            return
        pipeline = Compose([_as_sample, *steps])
        yield from map(default_collate, inferencer._get_chunk_data(map(pipeline, inputs), batch_size))

    return preprocess


def _refuse_random_layers(inferencer: Any) -> None:
    """Refuse to answer from final layers that a start of training left at their random initialisation.

    Training, and loading a checkpoint, change them in place, which PyTorch counts.
    """
    if not isinstance(inferencer, ImageClassificationInferencer):
        return
    origin, left = _started.get(inferencer.model, ('', {}))
    parameters = dict(inferencer.model.named_parameters())
    random = [name for name, version in left.items() if parameters[name]._version == version]
    # Predictions do not use the auxiliary classifier.
    random = [name for name in random if '.AuxLogits.' not in name]
    if random:
        raise InputError(
            f'{origin} is for other classes than the model, so that {random[0]} is random and cannot answer;\n'
            f'use mmpretrain_inception.load_model({origin!r}), or train first'
        )


def _as_sample(image: str | Path | np.ndarray) -> dict[str, Any]:
    if isinstance(image, np.ndarray):
        return dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2])
    return dict(img_path=str(image))
