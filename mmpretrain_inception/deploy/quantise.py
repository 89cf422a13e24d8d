"""Post-training quantisation to int8 by NNCF, the same for every back-end that it knows.

Its options are those with which a network that was trained on small photographs kept the most predictions, of those
that keep the speed (docs/deploy.md has the figures):

* Ranges of activations by histogram. NNCF's default, the mean over images of their extremes, cuts off what is above it
  in half of the images.
* No bias correction: NNCF's fast one moved the logits more than quantisation had.
* The first two convolutions, whose maps hold small differences of brightness, and the classifier stay in floating
  point. They are 4 % of the multiply-adds.
* All eight bits of a weight. NNCF would leave one unused in the first layer for processors without VNNI.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmpretrain_inception.deploy.contract import INPUT_NAME
from mmpretrain_inception.deploy.extras import import_extra, quiet
from mmpretrain_inception.errors import InputError

_FLOATING_CONVOLUTIONS = 2


def quantize(model: Any, calibration: Sequence[np.ndarray] | None, layers: Sequence[tuple[str, str]]) -> Any:
    """Quantise weights and activations.

    Args:
        model: An ONNX or OpenVINO model.
        calibration: Batches in the form of the model's input, on which the ranges of the activations are measured.
        layers: Kind and name of each operation of the model, in the order of the computation.

    Returns:
        A model of the same kind.

    Raises:
        InputError: If there is no image to calibrate on.
    """
    if not calibration:
        raise InputError('int8 needs images to calibrate on, but none came')
    nncf = import_extra('nncf')
    ranges = import_extra('nncf.quantization.range_estimator').RangeEstimatorParametersSet
    options = import_extra('nncf.quantization.advanced_parameters')
    with quiet():
        return nncf.quantize(
            model,
            nncf.Dataset(list(calibration), lambda images: {INPUT_NAME: images}),
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            ignored_scope=nncf.IgnoredScope(names=_floating(layers)),
            advanced_parameters=options.AdvancedQuantizationParameters(
                overflow_fix=options.OverflowFix.DISABLE,
                activations_range_estimator_params=ranges.HISTOGRAM,
                disable_bias_correction=True,
            ),
        )


def _floating(layers: Sequence[tuple[str, str]]) -> list[str]:
    """Return the names of the layers that stay in floating point."""
    convolutions = [name for kind, name in layers if kind in ('Conv', 'Convolution')]
    classifier = [name for kind, name in layers if kind in ('ReduceMean', 'Gemm', 'MatMul')]
    return convolutions[:_FLOATING_CONVOLUTIONS] + classifier
