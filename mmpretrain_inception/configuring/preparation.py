"""What a config's test pipeline does to an image file, as the steps of an exported file's contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmcv.transforms import CenterCrop, LoadImageFromFile, Resize
from mmpretrain.datasets import PackInputs, ResizeEdge

from mmpretrain_inception.datasets.transforms import LoadImage, TensorFlowCentralCrop, TensorFlowResize
from mmpretrain_inception.deploy.preparation import Preparation, Step, crop, load, resize

_EXIF = {'color': True, 'color_ignore_orientation': False}
_EDGES = {'short': 'short_edge', 'long': 'long_edge', 'width': 'width', 'height': 'height'}


def describe_pipeline(transforms: Sequence[Any]) -> tuple[Preparation | None, str]:
    """Describe a pipeline of built transforms.

    Args:
        transforms: The test pipeline, from loading to packing.

    Returns:
        The steps, and ''. None, and the transform that no step describes, where there is one.
    """
    steps: list[Step] = []
    for transform in transforms:
        if type(transform) is PackInputs:
            continue
        # Not `isinstance`: a subclass may do anything.
        describe = _STEPS.get(type(transform))
        step = describe(transform) if describe else None
        if step is None:
            return None, ' '.join(str(transform).split())
        steps.append(step)
    return tuple(steps), ''


def _load(transform: LoadImageFromFile) -> Step | None:
    if transform.color_type not in _EXIF or getattr(transform, 'to_float32', False):
        return None
    if transform.imdecode_backend not in ('cv2', 'pillow'):
        return None
    min_size = getattr(transform, 'min_size', None)
    return load(transform.imdecode_backend, _EXIF[transform.color_type], min_size)


def _resize_edge(transform: ResizeEdge) -> Step:
    return resize(_EDGES[transform.edge], transform.backend, transform.interpolation, size=transform.scale)


def _resize(transform: Resize) -> Step | None:
    if transform.keep_ratio or transform.scale is None:
        return None
    width, height = transform.scale
    return resize('exact', transform.backend, transform.interpolation, height=height, width=width)


def _center_crop(transform: CenterCrop) -> Step | None:
    width, height = transform.crop_size
    return None if transform.auto_pad else crop('center', height=height, width=width)


def _central_fraction(transform: TensorFlowCentralCrop) -> Step:
    return crop('central_fraction', fraction=transform.fraction)


def _tensorflow_resize(transform: TensorFlowResize) -> Step:
    width, height = transform.scale
    backend = 'tensorflow2' if transform.half_pixel_centers else 'tensorflow1'
    return resize('exact', backend, 'bilinear', height=height, width=width)


_STEPS: dict[type, Callable[[Any], Step | None]] = {
    LoadImageFromFile: _load,
    LoadImage: _load,
    ResizeEdge: _resize_edge,
    Resize: _resize,
    CenterCrop: _center_crop,
    TensorFlowCentralCrop: _central_fraction,
    TensorFlowResize: _tensorflow_resize,
}
