"""What a run reads, in numbers and in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmpretrain_inception.datasets.csv_images import CsvImages
from mmpretrain_inception.datasets.hold_out import TRAIN, VAL
from mmpretrain_inception.datasets.image_folder import ImageFolder
from mmpretrain_inception.datasets.image_kinds import count_kinds
from mmpretrain_inception.datasets.layout import TEST, Layout
from mmpretrain_inception.datasets.one_reading import take_remarks
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import list_some, printable

_USES = {TRAIN: 'to train on', VAL: 'to validate', TEST: 'to test'}


@dataclass(frozen=True)
class DataFacts:
    """What a run reads from the user's data.

    Attributes:
        root: The folder or table.
        classes: Names of the classes, in the order of the model's outputs.
        images: How many images each phase of the run reads, by ``train``, ``val`` and ``test``.
        class_images: The same for each class.
        split: How the images are divided, in a few words.
        unused: How many files are no images, by their kind.
        several_labels: Whether an image may have several labels.
        remarks: What else there is to say, one line each.
    """

    root: str
    classes: tuple[str, ...]
    images: Mapping[str, int] = field(default_factory=dict)
    class_images: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    split: str = ''
    unused: Mapping[str, int] = field(default_factory=dict)
    several_labels: bool = False
    remarks: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return all of it for a person: one or two short lines, and the remarks."""
        return [*self.summary(), *self.remarks]

    def summary(self) -> list[str]:
        """Return the numbers: one or two short lines."""
        counts = ', '.join(f'{count:,} {_USES[phase]}' for phase, count in self.images.items())
        labels = ', several labels an image' if self.several_labels else ''
        lines = [
            f'data: {printable(self.root)}: {len(self.classes):,} classes{labels}; images: {counts} ({self.split})'
        ]
        if self.unused:
            lines.append(f'not used: {count_kinds(self.unused)}')
        return lines


def gather_facts(layout: Layout, classes: Sequence[str], phases: Sequence[str], val_share: float) -> DataFacts:
    """List the images that a run will read.

    Args:
        layout: Where they are.
        classes: Names of the classes.
        phases: What the run reads, of ``train``, ``val`` and ``test``.
        val_share: Share of the images for validation, where their content decides.

    Raises:
        InputError: If there are images of fewer than two classes to train on, or a phase has no images.
    """
    # Without images of their own, tests use those for validation.
    sides = {layout.side_of(phase): phase for phase in reversed(phases)}
    datasets = {phase: build_dataset(layout, phase, classes, val_share) for phase in phases if phase in sides.values()}
    files = {phase: dataset.list_files() for phase, dataset in datasets.items()}
    counts = {phase: dataset.class_counts(files[phase]) for phase, dataset in datasets.items()}
    unused = {dataset.img_prefix: dataset.unused for dataset in datasets.values()}
    remarks = [*layout.remarks, *(text for dataset in datasets.values() for text in dataset.remarks)]
    for phase, dataset in datasets.items():
        remarks += _few(phase, [(name, n) for name, n in zip(classes, counts[phase]) if name not in dataset.absent])
    if TRAIN in counts:
        _refuse_one_class(layout.root, classes, counts[TRAIN])
    return DataFacts(
        root=layout.root,
        classes=tuple(classes),
        images={phase: len(one.table) for phase, one in files.items()},
        class_images={phase: tuple(one.tolist()) for phase, one in counts.items()},
        split=_tell_split(layout, datasets, val_share),
        unused=sum(unused.values(), Counter()),
        several_labels=any(getattr(dataset, 'several_labels', False) for dataset in datasets.values()),
        remarks=tuple(take_remarks(list(dict.fromkeys(remarks)))),
    )


def build_dataset(layout: Layout, phase: str, classes: Sequence[str], val_share: float) -> CsvImages | ImageFolder:
    """Return the dataset of a phase, without a pipeline and without its files.

    Args:
        layout: Where the images are.
        phase: ``train``, ``val`` or ``test``.
        classes: Names of the classes.
        val_share: Share of the images for validation, where their content decides.
    """
    kind: Any = CsvImages if layout.is_table else ImageFolder
    return kind(**layout.dataset(phase), classes=list(classes), val_share=val_share, lazy_init=True)


def _few(phase: str, counted: Sequence[tuple[str, int]]) -> Iterator[str]:
    none = [name for name, count in counted if not count]
    if none:
        yield f'no images {_USES[phase]} of {list_some(none, 5)}'
    one = [name for name, count in counted if count == 1] if phase == TRAIN else []
    if one:
        yield f'only one image {_USES[phase]} of {list_some(one, 5)}'


def _refuse_one_class(root: str, classes: Sequence[str], counts: NDArray[np.int64]) -> None:
    present = [name for name, count in zip(classes, counts) if count]
    if len(present) < 2:
        raise InputError(
            f'{printable(root)}: expected images of at least two classes to train on, got only those of '
            f'{list_some(present)}'
        )


def _tell_split(layout: Layout, phases: Iterable[str], val_share: float) -> str:
    sides = {layout.side_of(phase) for phase in phases}
    chosen = layout.by_content and bool(sides & {TRAIN, VAL})
    apart = [
        side for side in (TRAIN, VAL, TEST) if side in sides and side in layout.sides and not (chosen and side != TEST)
    ]
    where = 'its rows for' if layout.is_table else 'its folders' if len(apart) > 1 else 'its folder'
    named = [f'{where} {list_some([layout.sides[side] for side in apart])}'] if apart else []
    return '; '.join([*([f'{val_share:.0%} to validate, chosen by content'] if chosen else []), *named])
