"""Finding the image files of a dataset that cannot be decoded."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mmcv.transforms import LoadImageFromFile
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from PIL import Image

from mmpretrain_inception.datasets.file_list import path_at
from mmpretrain_inception.datasets.folder_scan import list_images, refuse_none
from mmpretrain_inception.datasets.image_kinds import FORMATS, IMAGE_EXTENSIONS
from mmpretrain_inception.datasets.process_calls import Lost, call_in_processes
from mmpretrain_inception.datasets.transforms.load_image import LoadImage
from mmpretrain_inception.errors import BrokenImageError, InputError
from mmpretrain_inception.utils.atomic_file import atomic_write
from mmpretrain_inception.utils.progress import progress
from mmpretrain_inception.utils.wording import list_some, printable

# The largest image that is accepted decodes in a few seconds. What takes longer waits for a file system.
_LONGEST = 120.0
_LONGEST_TITLE = 30

Load = Callable[[dict[str, Any]], Any]


class BrokenImage(NamedTuple):
    """A file that cannot be decoded, and what is known about it.

    As text it is one line for people: the path, with what no terminal can show as escapes, and the reason.

    Attributes:
        path: The file.
        reason: What is wrong with it.
        bytes: Its size. None: it does not exist, or is not on a local file system.
        format: Its format, from its header. None: the header cannot be read either; the same for the fields below.
        mode: Pillow's name for its kind of pixels.
        width: In pixels.
        height: In pixels.
    """

    path: str
    reason: str
    bytes: int | None
    format: str | None
    mode: str | None
    width: int | None
    height: int | None

    def __str__(self) -> str:
        return f'{printable(self.path)}: {printable(self.reason)}'


class Source(NamedTuple):
    """Image files, and how a pipeline loads them.

    Attributes:
        name: What to call them in messages.
        paths: The files.
        load: The transform that loads them.
        unused: How many files beside them are no images, by their kind.
    """

    name: str
    paths: Sequence[str]
    load: Load
    unused: Mapping[str, int] = {}


def find_broken(
    paths: Sequence[str], load: Load, processes: int, title: str | None = None, limit: float = _LONGEST
) -> dict[int, BrokenImage]:
    """Decode image files in several processes and return those that cannot be.

    Each process holds one image in memory. A file whose decoding crashes or does not end is among those returned.

    Args:
        paths: The files.
        load: The transform that loads them.
        processes: How many, at most.
        title: Text before the progress bar, on standard error. Defaults to None: no bar.
        limit: Longest time for a file, in seconds. Defaults to 120.

    Returns:
        The broken ones by their positions in ``paths``, in order.
    """
    found = {}
    calls = call_in_processes(partial(_check, load), enumerate(paths), max(min(processes, len(paths)), 1), limit)
    # Of a long path the end, so that the bar stays on the line.
    shown = progress((title or '')[-_LONGEST_TITLE:], total=len(paths), unit='file', show=title is not None)
    with closing(calls), shown as bar:
        for (index, path), result in calls:
            bar.advance()
            if isinstance(result, Lost):
                result = BrokenImage(path, result.reason, _size_of(path), None, None, None, None)
            if result is not None:
                found[index] = result
    return dict(sorted(found.items()))


def _check(load: Load, item: tuple[int, str]) -> BrokenImage | None:
    _, path = item
    try:
        load(dict(img_path=path))
    # Whatever a transform raises, it would raise in a run.
    except Exception as error:
        reason = error.reason if isinstance(error, BrokenImageError) else None
        return _describe(path, reason or str(error) or type(error).__name__)
    return None


def _describe(path: str, reason: str) -> BrokenImage:
    header: tuple[str | None, str | None, int | None, int | None] = (None, None, None, None)
    try:
        # A pipe would be waited for.
        if os.path.isfile(path):
            with Image.open(path, formats=FORMATS) as image:
                header = (image.format, image.mode, *image.size)
    # As in decoding, errors of many types. Without a header there is nothing to tell.
    except Exception:
        pass
    return BrokenImage(path, ' '.join(reason.split()), _size_of(path), *header)


def _size_of(path: str) -> int | None:
    try:
        return os.path.getsize(path)
    except (OSError, ValueError):
        return None


def folder_source(folder: str) -> Source:
    """Return all image files in a folder and the folders within it, by their extensions.

    Raises:
        InputError: If there is none, or a folder cannot be read.
    """
    files, unused, _ = list_images(folder, [''], IMAGE_EXTENSIONS)
    if not len(files.table):
        refuse_none(folder, IMAGE_EXTENSIONS, unused)
    paths = [os.path.join(folder, path_at(files, index)) for index in range(len(files.table))]
    return Source(folder, paths, LoadImage(), unused)


def config_sources(cfg: Config) -> list[Source]:
    """Return the image files of a config's datasets for training, validation and testing, each dataset once.

    Raises:
        InputError: If a dataset has no image files.
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    sources = []
    known: list[Any] = []
    for phase in ('train', 'val', 'test'):
        loader = cfg.get(f'{phase}_dataloader')
        if loader is not None and loader.dataset not in known:
            known.append(loader.dataset)
            sources += [source_of(part, phase) for part in _parts(DATASETS.build(loader.dataset))]
    return sources


def source_of(dataset: Any, name: str) -> Source:
    """Return the image files of a dataset of mmengine's kind.

    Raises:
        InputError: If it has none.
    """
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', [])
    load = next((step for step in steps if isinstance(step, LoadImageFromFile)), None)
    if load is None or 'img_path' not in dataset.get_data_info(0):
        raise InputError(
            f'{name}: expected a dataset of image files whose pipeline loads them, got {type(dataset).__name__}'
        )
    return Source(name, _Paths(dataset), load)


class _Paths(Sequence[str]):
    """The paths of a dataset, made one at a time: there may be millions."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitem__(self, index: Any) -> Any:
        if index >= len(self):
            raise IndexError(index)
        return self.dataset.get_data_info(index)['img_path']

    def __len__(self) -> int:
        return len(self.dataset)


def _parts(dataset: Any) -> Iterator[Any]:
    """Yield the datasets inside wrappers, which repeat, select or join."""
    inner = [dataset.dataset] if hasattr(dataset, 'dataset') else getattr(dataset, 'datasets', [])
    if not inner:
        yield dataset
    for part in inner:
        yield from _parts(part)


def summarize(checked: int, broken: Iterable[BrokenImage]) -> str:
    """Return how many files are broken, and how many for each reason, one a line."""
    reasons = Counter(image.reason for image in broken)
    lines = [f'{checked:,} files checked, {sum(reasons.values()):,} broken']
    return '\n'.join([*lines, *(f'{count:8,}  {printable(reason)}' for reason, count in reasons.most_common())])


def write_report(path: str, checked: int, broken: Sequence[BrokenImage]) -> None:
    """Write what was found: as JSON all that is known, with any other extension the paths, one a line.

    Paths are written byte for byte as the file system has them; in JSON, bytes that are not UTF-8 are the escapes that
    Python's ``json`` reads back.

    Raises:
        InputError: If the file cannot be written, or is a list of lines and a path has a line break: a program that
            reads the list would take it for two files. The other paths are written.
    """
    if Path(path).suffix == '.json':
        report = dict(files=checked, broken=len(broken), images=[image._asdict() for image in broken])
        content = json.dumps(report, indent=2) + '\n'
    else:
        content = ''.join(f'{image.path}\n' for image in broken if '\n' not in image.path)
    with atomic_write(path) as file:
        file.write(content.encode(errors='surrogateescape'))
    left_out = [image.path for image in broken if '\n' in image.path]
    if left_out and Path(path).suffix != '.json':
        raise InputError(f'{printable(path)} lacks {list_some(left_out)}: a path with a line break; write a .json file')
