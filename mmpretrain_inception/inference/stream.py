"""Predicting any number of images, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import cv2
import torch
from mmengine.dataset import Compose
from mmpretrain.structures import DataSample
from numpy.typing import NDArray

from mmpretrain_inception.datasets.process_calls import Lost, call_in_processes
from mmpretrain_inception.datasets.transforms.decode import MAX_PIXELS
from mmpretrain_inception.datasets.transforms.read_file import read_file
from mmpretrain_inception.errors import BrokenImageError
from mmpretrain_inception.inference.listing import Entry, Sample, Unreadable
from mmpretrain_inception.inference.model import Model, Packed
from mmpretrain_inception.utils.addresses import is_address

# Seconds for an image; the largest that is accepted decodes in a few, downloads may take longer.
_LONGEST = 120.0


class Answered(NamedTuple):
    """What came out of an image.

    Attributes:
        entry: The image.
        sample: What the model's head says. None: the image cannot be used.
        features: The pooled features, if they were asked for.
        error: Why it cannot be used; '' if it can.
        content: The content of an image that is no file of its own, if it was asked for.
    """

    entry: Entry
    sample: DataSample | None = None
    features: NDArray[Any] | None = None
    error: str = ''
    content: bytes | None = None


def answers(
    model: Model,
    images: Iterable[tuple[Entry, Sample | Unreadable]],
    *,
    batch_size: int,
    workers: int,
    features: bool = False,
    keep_content: bool = False,
) -> Iterator[list[Answered]]:
    """Predict images, and go on past those that cannot be used.

    Batches are filled with images that can be used, as in ``tools/test.py --skip-broken``: the scores are the same, bit
    for bit. A process that crashes or hangs over an image costs that image.

    Args:
        model: The model.
        images: The images, taken a few at a time.
        batch_size: Images computed at once.
        workers: Processes that load images. 0: this one does.
        features: Whether to return the pooled features too.
        keep_content: Whether to return the content of images that are no files of their own.

    Yields:
        What came out of the images up to the end of each batch, in order.
    """
    waiting: list[tuple[Answered, Packed | None]] = []
    for entry, prepared in _prepared(model, images, workers, keep_content):
        waiting.append(_placed(entry, prepared))
        if sum(packed is not None for _, packed in waiting) == batch_size:
            yield _computed(model, waiting, features)
            waiting = []
    if waiting:
        yield _computed(model, waiting, features)


def _prepared(
    model: Model, images: Iterable[tuple[Entry, Sample | Unreadable]], workers: int, keep_content: bool
) -> Iterator[tuple[Entry, Any]]:
    prepare = partial(_prepare, model.pipeline, keep_content)
    if not workers:
        yield from map(prepare, images)
        return
    for (entry, _), result in call_in_processes(prepare, images, workers, _LONGEST, in_order=True):
        yield (entry, result.reason) if isinstance(result, Lost) else result


def _prepare(pipeline: Compose, keep_content: bool, image: tuple[Entry, Sample | Unreadable]) -> tuple[Entry, Any]:
    """Load and preprocess an image; in place of one that cannot be used, the reason."""
    entry, sample = image
    if isinstance(sample, Unreadable):
        return entry, sample.reason
    try:
        content = _content(entry, sample) if keep_content else None
        packed = pipeline(dict(sample) if content is None else dict(sample, img_bytes=content))
    except BrokenImageError as error:
        return entry, error.reason or str(error)
    # Of an image that decodes but cannot be resized, for example one that is a pixel high.
    except (cv2.error, MemoryError) as error:
        return entry, ' '.join(str(error).split()) or 'it needs too much memory'
    # Tensors would go from process to process as open files.
    return entry, (packed['inputs'].numpy(), content)


def _content(entry: Entry, sample: Sample) -> bytes | None:
    if 'img_bytes' in sample or not is_address(entry.name):
        return sample.get('img_bytes')
    try:
        return read_file(entry.name, None, MAX_PIXELS)
    except (OSError, ValueError) as error:
        raise BrokenImageError(entry.name, str(error)) from error


def _placed(entry: Entry, prepared: Any) -> tuple[Answered, Packed | None]:
    if isinstance(prepared, str):
        return Answered(entry, error=prepared), None
    pixels, content = prepared
    return Answered(entry, content=content), dict(inputs=torch.from_numpy(pixels), data_samples=DataSample())


def _computed(model: Model, waiting: list[tuple[Answered, Packed | None]], features: bool) -> list[Answered]:
    batch = [packed for _, packed in waiting if packed is not None]
    results = iter(model.compute(batch, features) if batch else ())
    found = []
    for answered, packed in waiting:
        if packed is not None:
            sample, values = next(results)
            answered = answered._replace(sample=sample, features=values)
        found.append(answered)
    return found
