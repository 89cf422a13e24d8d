"""Post-training quantisation to int8 with NNCF, for all back-ends that it supports.

These options kept the most predictions of a network trained on small photographs without losing speed (numbers in
docs/deploy.md):

* Activation ranges from histograms. NNCF's default, the mean over images of their extremes, clips half of the images.
* No bias correction: NNCF's fast one changed the logits more than quantisation did.
* The first two convolutions, whose outputs have small differences of brightness, and the classifier stay in floating
  point. They are 4 % of the multiply-adds.
* All eight bits of each weight. NNCF leaves one unused in the first layer for processors without VNNI.
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
        calibration: Batches in the format of the model's input, to measure the ranges of activations.
        layers: Type and name of each operation of the model, in order of execution.

    Returns:
        A model of the same type.

    Raises:
        InputError: If there are no calibration images.
    """
    if not calibration:
        raise InputError('int8: expected images to calibrate on, got none')
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
