"""An exported file in the place of a classifier."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmpretrain.models import ClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmpretrain_inception.deploy.runtimes import load_runtime
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import MODELS


@MODELS.register_module()
class ExportedClassifier(BaseModel):
    """Predicts with a file that ``tools/export.py`` wrote, as mmpretrain's ``ImageClassifier`` does with a model.

    Args:
        path: The file, for ONNX Runtime, OpenVINO or PyTorch by its ending.
        data_preprocessor: mmengine's config of what normalises the images. Where the file normalises them itself, they
            go to it as they are, and this is not used. Defaults to None: mmpretrain's, which normalises nothing.
        threads: Threads to compute with. Defaults to PyTorch's number, which follows ``OMP_NUM_THREADS``.

    Raises:
        InputError: If the runtime is not installed or the file cannot be loaded.
    """

    def __init__(self, path: str, data_preprocessor: dict[str, Any] | None = None, threads: int | None = None) -> None:
        network = load_runtime(path, threads)
        raw = network.contract.with_preprocess
        settings = {'type': 'ClsDataPreprocessor', **(data_preprocessor or {})}
        super().__init__(RawImages() if raw else MODELS.build(settings))
        self.network = network
        self.head = ClsHead()

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'predict'
    ) -> Tensor | list[DataSample]:
        """Predict a batch of images as the data preprocessor returns them.

        Args:
            inputs: Images in the form of the file's contract.
            data_samples: One for each image. Defaults to None: new ones.
            mode: 'predict', or 'tensor' for logits of shape (N, num_classes).

        Returns:
            The samples, each with the softmax as ``pred_score`` and its best class as ``pred_label``.

        Raises:
            InputError: If ``mode`` is another, or the images are not as the contract has them.
        """
        if mode not in ('predict', 'tensor'):
            raise InputError(
                f'an exported file predicts only, but mode={mode!r} was asked for; train the model it is of'
            )
        logits = torch.from_numpy(self.network(inputs.cpu().numpy()))
        return logits if mode == 'tensor' else self.head.predict((logits,), data_samples)


class RawImages(BaseDataPreprocessor):
    """Turns batches as a data loader makes them, BGR of shape (N, 3, H, W), into uint8 RGB of shape (N, H, W, 3)."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return ``inputs`` in that form and ``data_samples`` as they are.

        Args:
            data: ``inputs``, a batch or a list of images of one size; ``data_samples``, which may be absent.
            training: Not used.
        """
        images = data['inputs']
        images = torch.stack(list(images)) if not isinstance(images, Tensor) else images
        return dict(inputs=images.flip(1).permute(0, 2, 3, 1), data_samples=data.get('data_samples'))
