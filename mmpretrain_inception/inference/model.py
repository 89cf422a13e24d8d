"""A model that answers for images."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dataset import Compose, default_collate
from mmengine.model import BaseModel
from mmengine.runner.amp import autocast
from mmpretrain.structures import DataSample
from numpy.typing import NDArray
from torch import Tensor

from mmpretrain_inception.configuring.machine import BF16, FP32
from mmpretrain_inception.deploy.choose import exported_files
from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.pipeline import pipeline_of
from mmpretrain_inception.deploy.switch import switch_to_deploy
from mmpretrain_inception.engine.hooks.deploy_hook import refuse_without_deploy_form, store_convolutions
from mmpretrain_inception.errors import BrokenImageError, InputError
from mmpretrain_inception.inference.listing import Listing, Unreadable, names_several
from mmpretrain_inception.inference.pixels import sample_of
from mmpretrain_inception.inference.results import Prediction, prediction_of
from mmpretrain_inception.utils.wording import printable

Packed = dict[str, Any]


class Model:
    """A classifier with its classes and its preprocessing; :func:`load_model` makes one.

    Args:
        network: mmpretrain's classifier, or an exported file as one, in evaluation mode.
        contract: Its classes and its preprocessing.
        origin: The file or name, for messages.

    Attributes:
        classes: Names of the classes, in the order of the scores. None: the file does not know them.
        contract: Its classes and its preprocessing, as plain data.
    """

    def __init__(self, network: BaseModel, contract: Contract, origin: str) -> None:
        if contract.preparation is None:
            raise InputError(
                f'{origin}: its contract does not say how images are resized and cropped (preparation: null);\n'
                'use tools/test.py with its config'
            )
        self.network = network
        self.contract = contract
        self.origin = origin
        self.classes = contract.classes
        self.pipeline = Compose(pipeline_of(contract.preparation))
        self._precision = FP32

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.origin!r}, {self.contract.num_classes} classes)'

    def predict(self, inputs: Any, top_k: int = 5, batch_size: int = 32) -> Prediction | list[Prediction]:
        """Predict the classes of images.

        Args:
            inputs: A path or address, the content of a file as bytes, an image of Pillow, an array in RGB of shape
                (H, W) or (H, W, channels), or a tensor in RGB of shape (channels, H, W); or a folder, a pattern, an
                archive or ``@LIST``, an iterable of all these, or a batch with one more axis in front.
                :func:`~mmpretrain_inception.inference.pixels.sample_of` has the types.
            top_k: How many of the best classes to list. Defaults to 5.
            batch_size: Images computed at once. Defaults to 32.

        Returns:
            A prediction, or a list for what may be several images.

        Raises:
            InputError: If an image cannot be used.
        """
        images, several = _listed(inputs)
        found = [
            prediction_of(name, sample, self.classes, top_k)
            for name, sample, _ in self._compute_all(images, batch_size, features=False)
        ]
        return found if several else found[0]

    def features(self, inputs: Any, batch_size: int = 32) -> NDArray[np.float32]:
        """Return what the classifier sees of images: the pooled output of the network.

        Args:
            inputs: As for :meth:`predict`.
            batch_size: Images computed at once. Defaults to 32.

        Returns:
            float32 of shape (2048,), or for several images (N, 2048).

        Raises:
            InputError: If an image cannot be used, or the model is an exported file.
        """
        images, several = _listed(inputs)
        found = [values for _, _, values in self._compute_all(images, batch_size, features=True)]
        stacked = np.stack(found) if found else np.empty((0, 2048), np.float32)
        return stacked if several else stacked[0]

    def speed_up(self, *, deploy: bool = False, precision: str = FP32) -> None:
        """Compute in a faster form, as ``tools/test.py --deploy --amp`` does.

        Args:
            deploy: Whether to fold batch norm into the convolutions. Defaults to False.
            precision: ``fp32``, ``fp16`` or ``bf16``.

        Raises:
            InputError: If the model has no such form.
        """
        if self.exported and (deploy or precision != FP32):
            raise InputError(
                f'{self.origin}: --deploy and --amp change how PyTorch runs a model, but the precision and form of an '
                'exported file are its own; leave them out'
            )
        self._precision = precision
        if deploy:
            refuse_without_deploy_form(self.network)
            switch_to_deploy(self.network)
            if precision != FP32:
                with self._autocast():
                    store_convolutions(self.network)

    @property
    def exported(self) -> bool:
        """Whether it is an exported file."""
        return self.contract.network is None

    @property
    def width(self) -> int:
        """How many features an image has; 0 if the model gives none."""
        network = self.contract.network
        return network['head'].get('in_channels', 2048) if network else 0

    def digest(self) -> str:
        """Return digits that only the same weights, preprocessing and form have."""
        digest = hashlib.sha256(self.contract.to_json().encode())
        for name, tensor in self.network.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        for file in exported_files(self.origin) if self.exported else ():
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def _autocast(self) -> AbstractContextManager[Any]:
        if self._precision == FP32:
            return nullcontext()
        device = next(self.network.parameters()).device.type
        dtype = torch.bfloat16 if self._precision == BF16 else torch.float16
        return autocast(device_type=device, dtype=dtype)

    def prepare(self, sample: dict[str, Any]) -> Packed:
        """Load and preprocess an image, as the test pipeline does.

        Args:
            sample: ``img_path``, or what :func:`~mmpretrain_inception.inference.pixels.sample_of` returns.

        Raises:
            BrokenImageError: If it cannot be loaded.
        """
        return self.pipeline(sample)

    @torch.no_grad()
    def compute(
        self, batch: Sequence[Packed], features: bool = False
    ) -> list[tuple[DataSample, NDArray[np.float32] | None]]:
        """Compute the predictions of a batch, as ``tools/test.py`` does.

        Args:
            batch: Images as :meth:`prepare` returns them.
            features: Whether to return the pooled features too.

        Raises:
            InputError: If features are asked of an exported file.
        """
        kept: list[Tensor] = []
        if features and self.exported:
            raise InputError(f'{self.origin}: an exported file gives no features; use the checkpoint it was made from')
        hook = self.network.neck.register_forward_hook(lambda *call: kept.append(call[2][-1])) if features else None
        try:
            with self._autocast():
                samples = self.network.test_step(default_collate(batch))
        finally:
            if hook is not None:
                hook.remove()
        values = list(kept[0].float().cpu().numpy()) if kept else [None] * len(samples)
        return list(zip(samples, values, strict=True))

    def _compute_all(
        self, images: Iterable[tuple[str, dict[str, Any]]], batch_size: int, features: bool
    ) -> Iterator[tuple[str, DataSample, Any]]:
        if batch_size < 1:
            raise InputError(f'batch_size: expected at least 1, got {batch_size}')
        remaining = iter(images)
        while named := list(islice(remaining, batch_size)):
            results = self.compute([self.prepare(sample) for _, sample in named], features)
            for (name, _), (sample, values) in zip(named, results):
                yield name, sample, values


def _listed(inputs: Any) -> tuple[Iterator[tuple[str, dict[str, Any]]], bool]:
    """Return named samples of the pipeline, and whether there may be several."""
    if isinstance(inputs, (str, Path)):
        return _samples([inputs]), names_several(str(inputs))
    one = isinstance(inputs, (bytes, bytearray, memoryview))
    several = not one and (getattr(inputs, 'ndim', None) == 4 or _is_iterable(inputs))
    return _samples(inputs if several else [inputs]), several


def _is_iterable(inputs: Any) -> bool:
    return isinstance(inputs, Iterable) and not isinstance(inputs, (np.ndarray, Tensor))


def _samples(inputs: Iterable[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for position, image in enumerate(inputs):
        if isinstance(image, (str, Path)) and names_several(str(image)):
            for entry, sample in Listing([str(image)]).samples():
                if isinstance(sample, Unreadable):
                    raise BrokenImageError(printable(entry.name), sample.reason)
                yield entry.name, sample
        elif isinstance(image, (str, Path)):
            yield str(image), dict(img_path=os.path.expanduser(image))
        else:
            name = f'{type(image).__name__} {position}'
            yield name, sample_of(image, name)
