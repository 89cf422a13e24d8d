"""What a test pipeline does to an image file: from its transforms to the steps of a contract, and back."""

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


def pipeline_of(preparation: Preparation) -> list[dict[str, Any]]:
    """Return the config of the pipeline that carries out the steps of a contract, from loading to packing.

    Files are loaded by :class:`LoadImage`, as in all our configs.

    Args:
        preparation: Valid steps.
    """
    return [*(_TRANSFORMS[step['step'], step.get('rule')](step) for step in preparation), dict(type=PackInputs)]


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
TRANSFORM_TYPES = frozenset(kind.__name__ for kind in (*_STEPS, PackInputs))


def _loading(step: Step) -> dict[str, Any]:
    colour = {turns: name for name, turns in _EXIF.items()}[step['exif_orientation']]
    return dict(type=LoadImage, color_type=colour, imdecode_backend=step['decoder'], min_size=step['min_size'])


def _edge_resizing(step: Step) -> dict[str, Any]:
    edge = {rule: name for name, rule in _EDGES.items()}[step['rule']]
    how = {key: step[key] for key in ('backend', 'interpolation')}
    return dict(type=ResizeEdge, scale=step['size'], edge=edge, **how)


def _exact_resizing(step: Step) -> dict[str, Any]:
    size = step['width'], step['height']
    if step['backend'].startswith('tensorflow'):
        return dict(type=TensorFlowResize, scale=size, half_pixel_centers=step['backend'] == 'tensorflow2')
    return dict(type=Resize, scale=size, backend=step['backend'], interpolation=step['interpolation'])


# The way back: (step, rule) to the config of a transform.
_TRANSFORMS: dict[tuple[str, str | None], Callable[[Step], dict[str, Any]]] = {
    ('load', None): _loading,
    **{('resize', rule): _edge_resizing for rule in _EDGES.values()},
    ('resize', 'exact'): _exact_resizing,
    ('crop', 'center'): lambda step: dict(type=CenterCrop, crop_size=(step['width'], step['height'])),
    ('crop', 'central_fraction'): lambda step: dict(type=TensorFlowCentralCrop, fraction=step['fraction']),
}
