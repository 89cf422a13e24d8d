"""The rows of a table of predictions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.inference.results import Ranked, ranked
from mmpretrain_inception.inference.stream import Answered

# Between the labels of an image that has several.
SEPARATOR = '|'
FEATURES = 'features'
Row = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """Which classes are named.

    Attributes:
        top_k: How many of the best classes. None: the best one, or of several labels an image those that the model
            chooses.
        threshold: Classes with a lower score are not named. None: the model's own, if it has one.
    """

    top_k: int | None = None
    threshold: float | None = None


def columns(contract: Contract, choice: Choice, features: bool) -> list[str]:
    """Return the names of the columns: ``path, label, score, label_2, score_2, ..., features, error``."""
    ranks = 1 if contract.activation == 'sigmoid' else choice.top_k or 1
    named = [f'{name}{_suffix(rank)}' for rank in range(1, ranks + 1) for name in ('label', 'score')]
    return ['path', *named, *([FEATURES] if features else []), 'error']


def row_of(answered: Answered, contract: Contract, choice: Choice) -> Row:
    """Return the row of an image: labels as text, scores as numbers, features as encoded bytes, None for nothing."""
    row: Row = dict(path=answered.entry.name, error=answered.error or None)
    if answered.sample is None:
        return row
    named = named_classes(answered, contract, choice)
    if contract.activation == 'sigmoid':
        row['label'] = SEPARATOR.join(found.name for found in named) or None
        row['score'] = SEPARATOR.join(str(_short(found.score)) for found in named) or None
    else:
        for rank, found in enumerate(named, 1):
            row[f'label{_suffix(rank)}'], row[f'score{_suffix(rank)}'] = found.name, _short(found.score)
    if answered.features is not None:
        row[FEATURES] = base64.b64encode(answered.features.astype('<f4').tobytes()).decode()
    return row


def named_classes(answered: Answered, contract: Contract, choice: Choice) -> list[Ranked]:
    """Return the classes that are named for an image, best first."""
    assert answered.sample is not None
    scores = answered.sample.pred_score.float().cpu().numpy()
    order = [int(label) for label in np.argsort(-scores, kind='stable')]
    several = contract.activation == 'sigmoid'
    if several and choice == Choice():
        predicted = set(answered.sample.pred_label.tolist())
        labels = [label for label in order if label in predicted]
    else:
        labels = order[: choice.top_k or (None if several else 1)]
    found = [ranked(label, scores, contract.classes) for label in labels]
    return [each for each in found if choice.threshold is None or each.score >= choice.threshold]


def features_of(row: Mapping[str, Any]) -> Sequence[float] | None:
    """Return the features of a row as numbers."""
    encoded = row.get(FEATURES)
    return None if encoded is None else [_short(value) for value in np.frombuffer(base64.b64decode(encoded), '<f4')]


def _suffix(rank: int) -> str:
    return '' if rank == 1 else f'_{rank}'


def _short(score: float) -> float:
    """Return the number whose text is the shortest that names this float32."""
    return float(str(np.float32(score)))
