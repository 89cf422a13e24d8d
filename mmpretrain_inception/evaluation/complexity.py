"""Parameters, FLOPs and activations of a model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer
from mmengine.analysis.print_helper import complexity_stats_table
from mmengine.config import Config
from mmpretrain.apis import get_model

from mmpretrain_inception.weights import networks_in


class Complexity(NamedTuple):
    """The cost of one image in evaluation.

    Attributes:
        parameters: Trainable parameters without the auxiliary classifier, which evaluation does not run.
        auxiliary: Trainable parameters of the auxiliary classifier.
        multiply_adds: What papers and mmpretrain call FLOPs.
        activations: Number of outputs of convolutions and linear layers.
        table: The counts for each layer.
        channels: Channels of the image.
    """

    parameters: int
    auxiliary: int
    multiply_adds: int
    activations: int
    table: str
    channels: int = 3


def count_complexity(cfg: Config, height: int, width: int) -> Complexity:
    """Count the cost of backbone, neck and head in evaluation, with mmengine's counter.

    Args:
        cfg: A config with a ``model``.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
    """
    model = get_model(cfg)
    channels = next((network.in_channels for network in networks_in(model)), 3)
    image = torch.zeros(1, channels, height, width)
    flops, activations = (
        # Both warn about operators that they do not count, and about the auxiliary classifier, which does not run.
        analyzer(model, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        for analyzer in (FlopAnalyzer, ActivationAnalyzer)
    )
    auxiliary = sum(p.numel() for name, p in model.named_parameters() if 'AuxLogits' in name)
    return Complexity(
        parameters=sum(p.numel() for p in model.parameters()) - auxiliary,
        auxiliary=auxiliary,
        multiply_adds=int(flops.total()),
        activations=int(activations.total()),
        table=complexity_stats_table(flops=flops, activations=activations, show_param_shapes=True),
        channels=channels,
    )


def format_complexity(counts: Complexity, height: int, width: int, table: bool = False) -> str:
    """Return the counts and what they include, in a few lines.

    Args:
        counts: The counts.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
        table: Whether to start with the counts of each layer. Defaults to False.
    """
    lines = [
        f'Input:       {counts.channels} x {height} x {width}',
        f'Parameters:  {counts.parameters:,} ({counts.parameters / 1e6:.2f} M)',
        f'FLOPs:       {counts.multiply_adds:,} ({counts.multiply_adds / 1e9:.3f} G)',
        f'Activations: {counts.activations:,} ({counts.activations / 1e6:.3f} M)',
        'Counted by mmengine: backbone, neck and head in evaluation. A FLOP is one multiply-add, as in papers;',
        'Included: convolutions, linear layers, normalisation (2 per element), global pooling; not ReLU, other pools.',
    ]
    if counts.auxiliary:
        lines.insert(2, f'  in training also {counts.auxiliary:,} of the auxiliary classifier')
    return '\n'.join([counts.table, *lines] if table else lines)
