"""What a training batch holds, whatever collated it: a classifier's, a detector's or a plain tuple."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any


def samples_of(batch: Any) -> list[Any]:
    """Return the annotations of a batch; [] if they are not mmengine's data elements or dicts.

    Args:
        batch: A dict with ``data_samples``, a list or a dict of lists (several branches); a list of dicts with one
            each; or anything else.
    """
    if isinstance(batch, Mapping):
        samples = batch.get('data_samples')
        parts = list(samples.values()) if isinstance(samples, Mapping) else [samples]
        found = [sample for part in parts if isinstance(part, Sequence) for sample in part]
    elif isinstance(batch, Sequence):
        found = [item.get('data_samples') for item in batch if isinstance(item, Mapping)]
    else:
        found = []
    return [sample for sample in found if hasattr(sample, 'get') and hasattr(sample, '__contains__')]


def count_images(batch: Any) -> int:
    """Return the number of images in a batch, 0 if it is not known.

    Args:
        batch: As in :func:`samples_of`, or a tuple whose first part has one item for each image.
    """
    samples = samples_of(batch)
    if samples:
        return len(samples)
    first = batch.get('inputs') if isinstance(batch, Mapping) else batch
    if isinstance(first, Sequence) and first and not isinstance(first[0], Mapping) and first is batch:
        first = first[0]
    return len(first) if isinstance(first, Sized) else 0


def list_files(batch: Any) -> list[str]:
    """Return the image files of a batch; [] if its annotations do not name them."""
    return [str(sample.get('img_path')) for sample in samples_of(batch) if 'img_path' in sample]
