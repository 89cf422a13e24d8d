"""What a model says about an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from mmpretrain.structures import DataSample
from numpy.typing import NDArray


class Ranked(NamedTuple):
    """A class and its score.

    Attributes:
        label: Its position in the model's classes.
        name: Its name. Where the model does not know the names, the position as text.
        score: From 0 to 1.
    """

    label: int
    name: str
    score: float


@dataclass(frozen=True)
class Prediction:
    """What a model says about an image.

    Attributes:
        path: The file. For images in memory, what they are and their position, as ``array 0``.
        label: Position of the best class.
        name: Its name. Where the model does not know the names, the position as text.
        score: Its score, from 0 to 1.
        labels: Positions of all classes that are predicted, best first: one, or with a model for several labels an
            image, any number.
        top: The best classes, best first.
        scores: The scores of all classes; float32 of shape (classes,).
    """

    path: str
    label: int
    name: str
    score: float
    labels: tuple[int, ...]
    top: tuple[Ranked, ...]
    scores: NDArray[np.float32] = field(repr=False)


def prediction_of(path: str, sample: DataSample, classes: Sequence[str] | None, top_k: int) -> Prediction:
    """Return what the head of a model says about an image.

    Args:
        path: What to call the image.
        sample: The result of the head.
        classes: Names of the classes. None: unknown.
        top_k: How many of the best classes to list; fewer where there are fewer.
    """
    scores = sample.pred_score.float().cpu().numpy()
    # Of equal scores the first is the best, as for torch's argmax.
    order = np.argsort(-scores, kind='stable')
    predicted = set(sample.pred_label.tolist())
    top = tuple(ranked(int(label), scores, classes) for label in order[:top_k])
    best = ranked(int(order[0]), scores, classes)
    labels = tuple(int(label) for label in order if int(label) in predicted)
    return Prediction(path, best.label, best.name, best.score, labels, top, scores)


def ranked(label: int, scores: NDArray[np.float32], classes: Sequence[str] | None) -> Ranked:
    """Return a class with its name and score; arguments as in :func:`prediction_of`."""
    return Ranked(label, classes[label] if classes else str(label), float(scores[label]))
