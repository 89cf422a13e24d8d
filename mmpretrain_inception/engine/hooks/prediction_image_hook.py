"""Images with their predictions, one file for each image of the dataset."""

from __future__ import annotations

import hashlib
import math
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any

from mmengine.fileio import join_path
from mmengine.runner import Runner
from mmpretrain.engine import VisualizationHook

from mmpretrain_inception.registry import HOOKS

# What file systems allow in bytes: a part of a path, and all of it. The rest is for the ending and the folder.
_LONGEST_PART = 255 - 24
_LONGEST_PATH = 3000


@HOOKS.register_module()
class PredictionImageHook(VisualizationHook):
    """mmpretrain's ``VisualizationHook`` that overwrites no image by another one of the same name.

    mmpretrain names a file after the last part of the image's path, so that ``ant/0.jpg`` and ``bee/0.jpg`` end up in
    one file. Here ``out_dir`` has the folders of the dataset: ``ant/0.jpg_0.png`` and ``bee/0.jpg_0.png``. An image
    that is in the dataset more than once gets a number each further time.

    Takes the arguments of mmpretrain's hook.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._root = ''
        self._seen: Counter[str] = Counter()

    def before_val_epoch(self, runner: Runner) -> None:
        """Start with the names of the validation data."""
        self._start(runner.val_dataloader.dataset)

    def before_test_epoch(self, runner: Runner) -> None:
        """Start with the names of the test data."""
        self._start(runner.test_dataloader.dataset)

    def _start(self, dataset: Any) -> None:
        self._root = common_root(dataset)
        self._seen.clear()

    def _draw_samples(self, batch_idx: int, data_batch: Any, data_samples: Sequence[Any], step: int = 0) -> None:
        if not self.enable:
            return
        start = len(data_samples) * batch_idx
        first = math.ceil(start / self.interval) * self.interval - start
        for position in range(first, len(data_samples), self.interval):
            sample = data_samples[position]
            name = self._name(sample.get('img_path'), start + position)
            # A visualizer's backends make no folders.
            target: dict[str, Any] = dict(name=name.replace('/', '_'))
            if self.out_dir is not None:
                target['out_file'] = join_path(self.out_dir, f'{name}_{step}.png')
            image = data_batch['inputs'][position].permute(1, 2, 0).cpu().numpy().astype('uint8')
            self._visualizer.visualize_cls(image=image, data_sample=sample, step=step, **target, **self.draw_args)

    def _name(self, path: str | None, number: int) -> str:
        name = str(number) if path is None else name_below(self._root, path)
        self._seen[name] += 1
        return name if self._seen[name] == 1 else f'{name}_{self._seen[name]}'


def common_root(dataset: Any) -> str:
    """Return the folder that all images of a dataset are in, '' if it is not known.

    Args:
        dataset: A dataset of mmengine or mmpretrain, or one that wraps or joins others.
    """
    roots = {os.path.abspath(root) for root in _roots(dataset)}
    try:
        return os.path.commonpath(roots) if roots else ''
    except ValueError:
        # On different drives.
        return ''


def _roots(dataset: Any) -> list[str]:
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    if inner != [None]:
        return [root for one in inner for root in _roots(one)]
    root = getattr(dataset, 'img_prefix', None) or getattr(dataset, 'data_root', None)
    return [root] if isinstance(root, str) and '://' not in root else []


def name_below(root: str, path: str) -> str:
    """Return a relative path that stands for an image and that every file system takes.

    Args:
        root: The folder of the dataset. An image outside of it is named by its absolute path.
        path: The image, a path or an address.
    """
    _scheme, separator, rest = path.rpartition('://')
    absolute = rest if separator else os.path.abspath(path)
    inside = bool(root) and not separator and absolute.startswith(root.rstrip(os.sep) + os.sep)
    relative = os.path.relpath(absolute, root) if inside else absolute
    parts = [_shortened(part) for part in relative.replace(os.sep, '/').split('/') if part not in ('', '.', '..')]
    name = '/'.join(parts)
    return name if len(os.fsencode(name)) <= _LONGEST_PATH else f'{_digest(name)}/{parts[-1]}'


def _shortened(part: str) -> str:
    encoded = os.fsencode(part)
    if len(encoded) <= _LONGEST_PART:
        return part
    return os.fsdecode(encoded[: _LONGEST_PART - 9]) + '-' + _digest(part)


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:8]
