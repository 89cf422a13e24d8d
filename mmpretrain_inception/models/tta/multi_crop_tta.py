"""Test-time augmentation with many crops of an image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmpretrain.models import AverageClsScoreTTA
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmpretrain_inception.models.classifiers.average import average_scores
from mmpretrain_inception.models.tta.multi_crop import MultiCrop
from mmpretrain_inception.registry import MODELS


@MODELS.register_module()
class MultiCropTTA(AverageClsScoreTTA):
    """Averages a classifier's scores over the crops of :class:`MultiCrop`.

    mmengine's test-time augmentation makes all views of an image in the data loader: 144 crops of 299 pixels take 39 MB
    per image, and a loader holds several batches. Here the loader returns each decoded image once, and this model cuts
    one crop per image of the batch at a time. Memory does not depend on the number of crops.

    The pipeline only loads and packs. Batches need ``pseudo_collate``, because images differ in size::

        tta_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
        tta_model = dict(type='mmpretrain_inception.MultiCropTTA', crop_size=299)

    Args:
        module: The classifier, or its config.
        data_preprocessor: Replaces the one in the classifier's config. Defaults to None: keep that one.
        **crops: The arguments of :class:`MultiCrop`.
    """

    def __init__(
        self,
        module: dict[str, Any] | nn.Module,
        data_preprocessor: dict[str, Any] | nn.Module | None = None,
        **crops: Any,
    ) -> None:
        super().__init__(module, data_preprocessor)
        self.crops = MultiCrop(**crops)

    def test_step(self, data: dict[str, Any]) -> list[DataSample]:
        """Predict a batch.

        Args:
            data: ``inputs``, images of shape (3, H, W) of any sizes; ``data_samples``, one for each.
        """
        views = zip(*(self._views(image) for image in data['inputs']))
        predictions = (self.module.test_step({**data, 'inputs': torch.stack(view)}) for view in views)
        return average_scores(predictions, getattr(self.module, 'head', None))

    def _views(self, image: Tensor) -> Iterator[Tensor]:
        pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
        for crop in self.crops.cut(pixels):
            # A mirrored array has negative strides, which torch does not support.
            yield torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))
