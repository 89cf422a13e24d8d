"""Predicting files of any number."""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import ExitStack
from math import ceil
from pathlib import Path
from typing import Any

from mmpretrain_inception.apis.commands import nearest
from mmpretrain_inception.configuring.checks import check_output_file, check_output_folder, remark_on_precision
from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.configuring.options import PredictOptions
from mmpretrain_inception.datasets.image_kinds import count_kinds
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.inference.copies import UNSURE, copy_to
from mmpretrain_inception.inference.image_size import with_image_size
from mmpretrain_inception.inference.journal import Journal
from mmpretrain_inception.inference.listing import Listing, refuse_nothing
from mmpretrain_inception.inference.load import load_model
from mmpretrain_inception.inference.model import Model
from mmpretrain_inception.inference.rows import SEPARATOR, Choice, Row, columns, named_classes, row_of
from mmpretrain_inception.inference.stream import Answered, answers
from mmpretrain_inception.inference.tables import check_table, write_table
from mmpretrain_inception.utils.progress import progress
from mmpretrain_inception.utils.terminal_log import for_a_person
from mmpretrain_inception.utils.wording import counted, list_some, printable

# Loading images in more processes mostly needs more memory. So many images are worth one.
_MOST_WORKERS, _IMAGES_PER_WORKER = 8, 16
# Broken images that are named on the terminal, and classes that are counted there.
_NAMED, _COUNTED = 20, 8
# Of a path in the table on the terminal.
_WIDEST = 60


def predict(options: PredictOptions) -> None:
    """Predict images, and write a table of them or print it.

    Args:
        options: The model, the images and what to do with the answers.

    Raises:
        UsageError: If options do not fit the model or each other.
        InputError: If there is no such model or no image, or no image can be used.
    """
    with for_a_person(verbose=options.verbose):
        _check(options)
        listing = Listing(options.inputs)
        if listing.unused:
            _say(f'not used: {count_kinds(listing.unused)}')
        if listing.skipped:
            _say(f'links not followed: {list_some(listing.skipped)}')
        refuse_nothing(listing, options.inputs, count_kinds(listing.unused))
        model = load_model(options.model)
        if options.image_size is not None:
            model = with_image_size(model, options.image_size)
        machine = Machine.here()
        precision = machine.precision(options.amp)
        model.speed_up(deploy=options.deploy, precision=precision)
        for line in remark_on_precision(options.amp, precision):
            _say(line)
        _Run(options, model, listing, machine, precision).go()


def _check(options: PredictOptions) -> None:
    """Refuse what would fail after the computation."""
    if options.out is not None:
        check_table(options.out)
        check_output_file(options.out, '--out')
    elif options.features:
        raise UsageError('--features: expected --out FILE for them')
    if options.copy_to is not None:
        check_output_folder(options.copy_to, '--copy-to')


class _Run:
    """A run of the tool, in one process.

    Args:
        options: What the user asks for.
        model: The model, in the form that it computes in.
        listing: The images.
        machine: What the run has.
        precision: What it computes in.
    """

    def __init__(
        self, options: PredictOptions, model: Model, listing: Listing, machine: Machine, precision: str
    ) -> None:
        self.options, self.model, self.listing = options, model, listing
        self.choice = Choice(options.top_k, options.threshold)
        self.contract = model.contract
        if options.features and not model.width:
            raise UsageError(f'{model.origin}: an exported file gives no features; leave --features out')
        most = min(_MOST_WORKERS, machine.cores, ceil(listing.count / _IMAGES_PER_WORKER))
        self.workers = options.workers if options.workers is not None else max(most if listing.count > 1 else 0, 0)
        self.precision = precision
        self.failed, self.classes = 0, Counter[str]()

    def go(self) -> None:
        """Predict all images, and say what came out."""
        count = self.listing.count
        with ExitStack() as stack:
            journal = stack.enter_context(self._journal(Path(self.options.out))) if self.options.out else None
            done = journal.done if journal else 0
            bar = stack.enter_context(progress('predict', total=count, done=done))
            self._resume(journal)
            for batch in answers(
                self.model,
                self.listing.samples(done),
                batch_size=self.options.batch_size,
                workers=self.workers,
                features=self.options.features,
                keep_content=self.options.copy_to is not None,
            ):
                rows = [self._handled(answered) for answered in batch]
                if journal is not None:
                    journal.add(rows)
                else:
                    self._print(rows)
                bar.advance(len(batch))
            if journal is not None and self.options.out:
                names = columns(self.contract, self.choice, self.options.features)
                write_table(self.options.out, names, journal.rows(), self.model.width)
                journal.remove()
        self._summarise()

    def _journal(self, out: Path) -> Journal:
        options = self.options
        return Journal(
            out,
            dict(
                model=self.model.digest(),
                images=self.listing.digest,
                options=[options.top_k, options.threshold, options.features, options.batch_size, options.deploy],
                precision=self.precision,
            ),
        )

    def _resume(self, journal: Journal | None) -> None:
        if journal is None:
            return
        if journal.replaced:
            _say(f'{journal.path.name} is of a run with other {journal.replaced}; beginning anew')
        if journal.done:
            _say(f'going on after {journal.done:,} images of an earlier run ({journal.path.name})')
            for row in journal.rows():
                self._count(row)

    def _handled(self, answered: Answered) -> Row:
        """Return the row of an image, after it is copied where it belongs, and named if it cannot be used."""
        row = row_of(answered, self.contract, self.choice)
        self._count(row)
        if answered.error and self.failed <= _NAMED:
            more = '; further ones are counted' if self.failed == _NAMED else ''
            _say(f'{printable(answered.entry.name)}: {printable(answered.error)}{more}')
        if self.options.copy_to is not None and answered.sample is not None:
            found = named_classes(answered, self.contract, self.choice)
            label = found[0].name if found else UNSURE
            copy_to(Path(self.options.copy_to).expanduser(), label, answered.entry.name, answered.content)
        return row

    def _count(self, row: Row) -> None:
        self.failed += row['error'] is not None
        if row['error'] is None:
            self.classes[row.get('label') or 'no class'] += 1

    def _print(self, rows: list[Row]) -> None:
        width = min(self.listing.longest, _WIDEST)
        names = [name for name in columns(self.contract, self.choice, False)[1:-1] if name.startswith('label')]
        for row in rows:
            if row['error'] is None:
                said = '  '.join(_shown(row, name) for name in names if row.get(name)) or 'no class'
                print(f'{printable(row["path"]):{width}}  {said}', flush=True)

    def _summarise(self) -> None:
        count, failed = self.listing.count, self.failed
        if failed == count:
            raise InputError(f'none of the {count:,} images can be used' if count > 1 else 'the image cannot be used')
        most = [f'{printable(name)} {number:,}' for name, number in self.classes.most_common(_COUNTED)]
        others = len(self.classes) - len(most)
        classes = ', '.join([*most, *([f'{others:,} other classes'] if others > 0 else [])])
        broken = f'; {failed:,} of {count:,} images cannot be used' if failed else ''
        _say(f'{counted(count - failed, "image")}: {classes}{broken}')
        for place in (self.options.out, self.options.copy_to):
            if place is not None:
                _say(f'written: {nearest(place)}')


def _shown(row: Row, name: str) -> str:
    score: Any = row[name.replace('label', 'score')]
    scores = score.split(SEPARATOR) if isinstance(score, str) else [score]
    return f'{printable(row[name])} {SEPARATOR.join(f"{float(each):.1%}" for each in scores)}'


def _say(line: str) -> None:
    """Print for people: standard output is for the table."""
    print(line, file=sys.stderr, flush=True)
