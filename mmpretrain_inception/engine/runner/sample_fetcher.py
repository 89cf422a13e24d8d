"""Load the images of a batch, each with its own random seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.structures import BaseDataElement

from mmpretrain_inception.engine.runner.seeds import mix, seed_worker
from mmpretrain_inception.errors import BrokenImageError
from mmpretrain_inception.utils.message_hub import BROKEN_IMAGES

if TYPE_CHECKING:
    from mmpretrain_inception.engine.runner.numbered_batches import NumberedBatch

_MOST_ATTEMPTS = 20


class SampleFetcher:
    """Loads a batch; torch calls it as the dataset's ``__getitems__``.

    Before each image it seeds Python, NumPy and torch from the batch's key and the image's position in the batch. So an
    image is augmented in the same way in any process and after any history, and differently in every epoch.

    Args:
        dataset: The dataset, with a length and an index.

    Attributes:
        replaces_broken: Whether to replace an undecodable image by another one, drawn with the same seed; the sample
            then names the broken file under :data:`BROKEN_IMAGES`. Defaults to False: the error is raised.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.replaces_broken = False

    def __call__(self, batch: NumberedBatch) -> list[Any]:
        """Return the samples of a batch, in its order.

        Raises:
            BrokenImageError: If an image cannot be decoded and is not replaced.
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
    if not isinstance(annotation, BaseDataElement):
        # No place to report it, and replacing an image silently is worse than stopping.
        raise BrokenImageError(broken[0])
    annotation.set_field(broken, BROKEN_IMAGES, field_type='metainfo')
    return sample
