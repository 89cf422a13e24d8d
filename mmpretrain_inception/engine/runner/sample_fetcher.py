"""Loading the images of a batch, each with random numbers of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from mmpretrain.structures import DataSample

from mmpretrain_inception.engine.runner.seeds import mix, seed_worker
from mmpretrain_inception.errors import BrokenImageError
from mmpretrain_inception.utils.message_hub import BROKEN_IMAGES

if TYPE_CHECKING:
    from mmpretrain_inception.engine.runner.numbered_batches import NumberedBatch

_MOST_ATTEMPTS = 20


class SampleFetcher:
    """Loads a batch; stands at a dataset as the ``__getitems__`` that torch looks for.

    Before each image it seeds Python, NumPy and torch from the batch's key and the image's position, so that an image
    is augmented alike in whatever process, after whatever came before, and differently in every epoch.

    Args:
        dataset: The dataset, which has a length and takes an index.

    Attributes:
        replaces_broken: Whether another image, drawn by the same seed, takes the place of one that cannot be decoded;
            the sample then names the file under :data:`BROKEN_IMAGES`. Defaults to False: the error goes on.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.replaces_broken = False

    def __call__(self, batch: NumberedBatch) -> list[Any]:
        """Return the samples of a batch, in its order.

        Raises:
            BrokenImageError: If an image cannot be decoded and none may or can take its place.
        """
        return [self._fetch(index, (*batch.key, position)) for position, index in enumerate(batch)]

    def _fetch(self, index: int, key: Sequence[int]) -> Any:
        broken: list[str] = []
        for attempt in range(_MOST_ATTEMPTS):
            seed_worker(*key, attempt)
            try:
                sample = self.dataset[index]
            except BrokenImageError as error:
                broken.append(str(error))
                if not self.replaces_broken or attempt + 1 == _MOST_ATTEMPTS:
                    raise
                index = int(np.random.default_rng(mix(*key, attempt)).integers(len(self.dataset)))
            else:
                return _with_note(sample, broken) if broken else sample
        raise AssertionError('the last attempt returns or raises')


def _with_note(sample: Any, broken: list[str]) -> Any:
    annotation = sample.get('data_samples') if isinstance(sample, dict) else None
    if not isinstance(annotation, DataSample):
        # Nowhere to tell of it: a replacement that nobody hears of is worse than an end.
        raise BrokenImageError(broken[0])
    annotation.set_field(broken, BROKEN_IMAGES, field_type='metainfo')
    return sample
