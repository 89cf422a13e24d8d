"""How an image file becomes the network's input before normalisation, as plain data for an exported file's contract.

Each step is a dict with a ``step`` and, where there are several ways to do it, a ``rule``. ``STEPS`` lists which other
keys a step has and what each may hold. ``docs/deploy.md`` explains the steps and carries them out without this package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Step = dict[str, Any]
Preparation = tuple[Step, ...]
Checks = dict[str, Callable[[Any], bool]]

# Pillow widens its filters when it shrinks an image, whatever the filter is called; OpenCV does so for `area` only.
_RESIZE_BACKENDS = {
    'cv2': ('nearest', 'bilinear', 'bicubic', 'area', 'lanczos'),
    'pillow': ('nearest', 'bilinear', 'bicubic', 'box', 'lanczos', 'hamming'),
    'tensorflow1': ('bilinear',),
    'tensorflow2': ('bilinear',),
}


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


_FILTER: Checks = dict(
    interpolation=lambda value: isinstance(value, str),
    backend=lambda value: isinstance(value, str) and value in _RESIZE_BACKENDS,
    antialias=_is_flag,
)
_EDGE: Checks = dict(size=_is_count, **_FILTER)
_SIDES: Checks = dict(height=_is_count, width=_is_count)

# (step, rule) to its other keys and what each may hold.
STEPS: dict[tuple[str, str | None], Checks] = {
    ('load', None): dict(
        decoder=lambda value: value in ('cv2', 'pillow'),
        exif_orientation=_is_flag,
        min_size=lambda value: value is None or _is_count(value),
    ),
    ('resize', 'short_edge'): _EDGE,
    ('resize', 'long_edge'): _EDGE,
    ('resize', 'width'): _EDGE,
    ('resize', 'height'): _EDGE,
    ('resize', 'exact'): dict(**_SIDES, **_FILTER),
    ('crop', 'center'): _SIDES,
    ('crop', 'central_fraction'): dict(fraction=lambda value: type(value) in (int, float) and 0 < value <= 1),
}


def load(decoder: str = 'cv2', exif_orientation: bool = True, min_size: int | None = None) -> Step:
    """Return the step that decodes a file.

    Args:
        decoder: ``'cv2'`` or ``'pillow'``, for JPEG files. Defaults to ``'cv2'``.
        exif_orientation: Whether the image is turned as EXIF says. Defaults to True.
        min_size: Shorter side down to which JPEG files are decoded at a half, a quarter or an eighth of their size.
            Defaults to None: they are decoded at full size.
    """
    return dict(step='load', decoder=decoder, exif_orientation=exif_orientation, min_size=min_size)


def resize(rule: str, backend: str, interpolation: str, **size: int) -> Step:
    """Return a step that resizes.

    Args:
        rule: ``'short_edge'``, ``'long_edge'``, ``'width'`` or ``'height'``, which keep the aspect ratio, or
            ``'exact'``, which does not.
        backend: ``'cv2'``, ``'pillow'``, ``'tensorflow1'`` or ``'tensorflow2'``.
        interpolation: The back-end's name of the filter.
        **size: ``height`` and ``width`` of the result for ``'exact'``; otherwise ``size``, the length of that edge.
    """
    antialias = interpolation == 'area' if backend == 'cv2' else backend == 'pillow' and interpolation != 'nearest'
    return dict(step='resize', rule=rule, **size, interpolation=interpolation, backend=backend, antialias=antialias)


def crop(rule: str, **size: float) -> Step:
    """Return a step that crops around the centre.

    Args:
        rule: ``'center'`` with ``height`` and ``width``, or ``'central_fraction'`` with ``fraction`` of each side.
        **size: As the rule says.
    """
    return dict(step='crop', rule=rule, **size)


def is_preparation(steps: Any) -> bool:
    """Return whether a value is a valid sequence of steps."""
    return isinstance(steps, tuple) and all(_is_step(step) for step in steps)


def _is_step(step: Any) -> bool:
    if not isinstance(step, dict):
        return False
    kind = (step.get('step'), step.get('rule'))
    if not all(isinstance(part, str | None) for part in kind) or kind not in STEPS:
        return False
    others = {key: value for key, value in step.items() if key not in ('step', 'rule')}
    checks = STEPS[kind]
    if others.keys() != checks.keys() or not all(checks[key](value) for key, value in others.items()):
        return False
    return step['step'] != 'resize' or step['interpolation'] in _RESIZE_BACKENDS[step['backend']]
