"""Another size of the images, in every transform that has one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from mmcv.transforms import CenterCrop, Resize
from mmengine.config import Config
from mmpretrain.datasets.transforms import (
    EfficientNetCenterCrop,
    EfficientNetRandomCrop,
    RandomCrop,
    RandomResizedCrop,
    ResizeEdge,
)

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.datasets import innermost_datasets
from mmpretrain_inception.configuring.short import Meaning
from mmpretrain_inception.datasets.transforms import LoadImage, TensorFlowResize
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.models.backbones import InceptionV3
from mmpretrain_inception.models.backbones.stem import Stem
from mmpretrain_inception.models.tta import MultiCropTTA
from mmpretrain_inception.registry import MODELS, TRANSFORMS, is_kind, resolve

PHASES = ('train', 'val', 'test')


class Size(NamedTuple):
    """Height and width of images in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return str(self.height) if self.height == self.width else f'{self.height}x{self.width}'


class _Sized(NamedTuple):
    """How a transform names its size.

    Attributes:
        setting: The argument.
        order: ``hw`` or ``wh`` for two sides or one, ``side`` for one of a square; ``edge`` for the edge that an image
            is resized to before a crop.
    """

    setting: str
    order: Literal['hw', 'wh', 'side', 'edge']


# The options of the backbone that its smallest image depends on.
_STEM = dict(stem='kernel', stem_stride='stride', stem_pool='pool', stem_pool2_padding='pool2_padding')


class _Resized(NamedTuple):
    key: str
    value: Any
    follows: bool


# Subclasses before their bases.
_SIZES: dict[type, _Sized] = {
    EfficientNetRandomCrop: _Sized('scale', 'side'),
    EfficientNetCenterCrop: _Sized('crop_size', 'side'),
    RandomResizedCrop: _Sized('scale', 'hw'),
    RandomCrop: _Sized('crop_size', 'hw'),
    CenterCrop: _Sized('crop_size', 'wh'),
    Resize: _Sized('scale', 'wh'),
    TensorFlowResize: _Sized('scale', 'wh'),
    ResizeEdge: _Sized('scale', 'edge'),
    LoadImage: _Sized('min_size', 'edge'),
}


def parse_size(value: Any) -> Size:
    """Return the size that a user means by 224, '224', '224x320' (height x width) or (224, 320).

    Raises:
        UsageError: If it is no size.
    """
    text = 'x'.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    found = re.fullmatch(r'([1-9]\d*)(?:x([1-9]\d*))?', text.strip().lower())
    if not found:
        raise UsageError(f'--image-size {text}: expected H or HxW in pixels, such as 224 or 224x320')
    return Size(int(found[1]), int(found[2] or found[1]))


def resize_images(cfg: Config, value: Any) -> Meaning:
    """Return what gives a config another image size.

    Testing crops get the size. What images are resized to before a crop keeps its ratio to the crop, and so does the
    size of training crops, which some recipes choose smaller.

    Args:
        cfg: The config.
        value: The size, as in :func:`parse_size`.

    Raises:
        UsageError: If it is no size, or the config has no transform whose size is known or a square one.
    """
    size = parse_size(value)
    pipelines = {
        phase: [f'{dataset}.pipeline' for dataset in innermost_datasets(cfg, phase)]
        for phase in PHASES
        if cfg.get(f'{phase}_dataloader') is not None
    }
    tested = next((_output(cfg, pipelines[phase][0])[1] for phase in ('test', 'val') if pipelines.get(phase)), None)
    found: list[_Resized] = []
    notes: list[str] = []
    for phase, keys in pipelines.items():
        for key in keys:
            before = _output(cfg, key)[1]
            target = size if phase != 'train' or tested is None else _in_ratio(size, before, tested)
            found += _resized(cfg, key, before, target)
            if target != size:
                notes.append(
                    f'--image-size {size}: training crops have {target} pixels, as the config trains at {before} and '
                    f'tests at {tested}'
                )
    found += _resized_tta(cfg, size, tested)
    main, follows = ({key: value for key, value, edge in found if edge is kind} for kind in (False, True))
    return Meaning(main, follows, tuple(notes))


def image_size(cfg: Config, phase: str) -> Size | None:
    """Return the size of the images that a pipeline makes; None where no transform says it.

    Args:
        cfg: The config.
        phase: ``train``, ``val`` or ``test``.
    """
    datasets = innermost_datasets(cfg, phase)
    try:
        return _output(cfg, f'{datasets[0]}.pipeline')[1] if datasets else None
    except UsageError:
        return None


def check_image_size(cfg: Config, value: Any) -> None:
    """Refuse images that are too small for the network.

    Args:
        cfg: The config, with that size.
        value: What the user gave.

    Raises:
        UsageError: If so.
    """
    backbone = get_at(cfg, 'model.backbone')
    if not is_kind(backbone, InceptionV3, MODELS):
        return
    least = Stem(**{field: backbone[key] for key, field in _STEM.items() if key in backbone}).min_size
    for phase in PHASES:
        for dataset in innermost_datasets(cfg, phase):
            _, size = _output(cfg, f'{dataset}.pipeline')
            if min(size) < least:
                small = f'got {min(size)} in {phase}'
                raise UsageError(f'--image-size {value}: expected at least {least} pixels for this network, {small}')


def _resized_tta(cfg: Config, size: Size, tested: Size | None) -> Iterator[_Resized]:
    if is_kind(cfg.get('tta_model'), MultiCropTTA, MODELS):
        yield _Resized('tta_model.crop_size', _written(size, 'side', 'tta_model'), True)
    elif cfg.get('tta_pipeline') is not None and tested is not None:
        yield from _resized(cfg, 'tta_pipeline', tested, size)


def _in_ratio(size: Size, before: Size, tested: Size) -> Size:
    return Size(*(round(new * old / other) for new, old, other in zip(size, before, tested)))


def _output(cfg: Config, pipeline: str) -> tuple[str, Size]:
    """Return the size of the images that a pipeline makes, and the dotted name that sets it."""
    found = list(_sized(get_at(cfg, pipeline), pipeline))
    # The last crop decides, or without one the last resize.
    for orders in (('hw', 'wh', 'side'), ('edge',)):
        for key, sized in reversed(found):
            if sized.order in orders and sized.setting != 'min_size':
                return key, _read(get_at(cfg, key), sized.order)
    raise UsageError(
        f'--image-size: {pipeline} has no transform whose size is known; set it by --cfg-options {pipeline}.N.SETTING'
    )


def _resized(cfg: Config, pipeline: str, before: Size, size: Size) -> Iterator[_Resized]:
    output, _ = _output(cfg, pipeline)
    for key, sized in _sized(get_at(cfg, pipeline), pipeline):
        value = get_at(cfg, key)
        if sized.order == 'edge':
            # Large enough for the longer side of the crop.
            yield _Resized(key, round(value * max(size) / max(before)), key != output)
        else:
            yield _Resized(
                key, _written(_in_ratio(size, _read(value, sized.order), before), sized.order, key), key != output
            )


def _sized(transforms: Any, key: str) -> Iterator[tuple[str, _Sized]]:
    """Yield the dotted names of all sizes in a pipeline, nested transforms included."""
    for index, transform in enumerate(transforms or ()):
        place = f'{key}.{index}'
        if isinstance(transform, (list, tuple)):
            yield from _sized(transform, place)
        elif isinstance(transform, dict):
            kind = resolve(transform.get('type'), TRANSFORMS)
            sized = next((sized for base, sized in _SIZES.items() if kind and issubclass(kind, base)), None)
            if sized and transform.get(sized.setting) is not None:
                yield f'{place}.{sized.setting}', sized
            yield from _sized(transform.get('transforms'), f'{place}.transforms')


def _read(value: Any, order: str) -> Size:
    first, second = value if isinstance(value, (list, tuple)) else (value, value)
    return Size(second, first) if order == 'wh' else Size(first, second)


def _written(size: Size, order: str, key: str) -> Any:
    if size.height == size.width:
        return size.height
    if order == 'side':
        raise UsageError(f'--image-size {size}: expected a square, such as {max(size)}, because {key} is one')
    return tuple(size) if order == 'hw' else (size.width, size.height)
