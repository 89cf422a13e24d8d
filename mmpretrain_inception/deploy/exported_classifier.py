"""An exported file as a classifier."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmpretrain.models import ClsHead, MultiLabelClsHead
from mmpretrain.structures import DataSample
from torch import Tensor

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.runtimes import load_runtime
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import MODELS


@MODELS.register_module()
class ExportedClassifier(BaseModel):
    """Predicts with a file written by ``tools/export.py``, as mmpretrain's ``ImageClassifier`` does with a model.

    Args:
        path: The file, for ONNX Runtime, OpenVINO or PyTorch by its suffix.
        data_preprocessor: mmengine's config of what normalises the images. Ignored for files that normalise themselves.
            Defaults to None: mmpretrain's, which normalises nothing.
        threads: Number of threads. Defaults to PyTorch's, which follows ``OMP_NUM_THREADS``.

    Raises:
        InputError: If the runtime is not installed, the file cannot be loaded, or its contract does not say what turns
            logits into scores.
    """

    def __init__(self, path: str, data_preprocessor: dict[str, Any] | None = None, threads: int | None = None) -> None:
        network = load_runtime(path, threads)
        raw = network.contract.with_preprocess
        settings = {'type': 'ClsDataPreprocessor', **(data_preprocessor or {})}
        super().__init__(RawImages() if raw else MODELS.build(settings))
        self.network = network
        self.head = _head(network.contract, path)

    def forward(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None, mode: str = 'predict'
    ) -> Tensor | list[DataSample]:
        """Predict a batch of images as the data preprocessor returns them.

        Args:
            inputs: Images as the file's contract describes them.
            data_samples: One for each image. Defaults to None: new ones.
            mode: 'predict', or 'tensor' for logits of shape (N, num_classes).

        Returns:
            The samples, with ``pred_score``, the softmax or, for several labels per image, the sigmoid, and
            ``pred_label``, the best class or those that the contract's threshold or topk chooses.

        Raises:
            InputError: If ``mode`` is another, or the images are not as in the contract.
        """
        if mode not in ('predict', 'tensor'):
            raise InputError(f'an exported file only predicts: expected mode predict or tensor, got {mode!r}')
        # Back to where the annotations are: metrics compare the two.
        logits = torch.from_numpy(self.network(inputs.cpu().numpy())).to(inputs.device)
        return logits if mode == 'tensor' else self.head.predict((logits,), data_samples)


def _head(contract: Contract, path: str) -> ClsHead | MultiLabelClsHead:
    """Return mmpretrain's head without a layer that turns logits into predictions as the contract says."""
    if contract.activation == 'sigmoid':
        return MultiLabelClsHead(thr=contract.threshold, topk=contract.topk)
    if contract.activation == 'softmax':
        return ClsHead()
    raise InputError(f'{path}: expected activation softmax or sigmoid in its contract, got null: it gives logits only')


class RawImages(BaseDataPreprocessor):
    """Converts a data loader's batches, BGR of shape (N, 3, H, W), to RGB of shape (N, H, W, 3)."""

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return converted ``inputs`` and unchanged ``data_samples``.

        Args:
            data: ``inputs``, a batch or a list of images of one size, and optionally ``data_samples``.
            training: Not used.
        """
        images = data['inputs']
        images = torch.stack(list(images)) if not isinstance(images, Tensor) else images
        return dict(inputs=images.flip(1).permute(0, 2, 3, 1), data_samples=data.get('data_samples'))
