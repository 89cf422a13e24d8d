"""The cost of a model: parameters, multiply-adds, activations."""

from __future__ import annotations

from typing import NamedTuple

import torch
from mmengine.analysis import ActivationAnalyzer, FlopAnalyzer
from mmengine.analysis.print_helper import complexity_stats_table
from mmengine.config import Config
from mmpretrain.apis import get_model


class Complexity(NamedTuple):
    """What one image costs in evaluation.

    Attributes:
        parameters: Trainable numbers in what evaluation runs, so without the auxiliary classifier.
        auxiliary: Those of the auxiliary classifier.
        multiply_adds: What papers and mmpretrain call FLOPs.
        activations: Numbers that convolutions and linear layers put out.
        table: The counts layer by layer.
    """

    parameters: int
    auxiliary: int
    multiply_adds: int
    activations: int
    table: str


def count_complexity(cfg: Config, height: int, width: int) -> Complexity:
    """Count with mmengine's counter, over backbone, neck and head in evaluation.

    Args:
        cfg: A config with a ``model``.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
    """
    model = get_model(cfg)
    image = torch.zeros(1, 3, height, width)
    flops, activations = (
        # Both warn of operators that they do not count, and of the auxiliary classifier, which does not run.
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
    )


def format_complexity(counts: Complexity, height: int, width: int, table: bool = False) -> str:
    """Say in a few lines what was counted and how much it is.

    Args:
        counts: The counts.
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        table: Whether to put the counts of each layer before them. Defaults to False.
    """
    lines = [
        f'Input:       3 x {height} x {width}',
        f'Parameters:  {counts.parameters:,} ({counts.parameters / 1e6:.2f} M)',
        f'FLOPs:       {counts.multiply_adds:,} ({counts.multiply_adds / 1e9:.3f} G)',
        f'Activations: {counts.activations:,} ({counts.activations / 1e6:.3f} M)',
        'Counted by mmengine: backbone, neck and head in evaluation. A FLOP is one multiply-add, as in papers;',
        'convolutions, linear layers, normalisation (2 an element), global pooling; not ReLU, other pools.',
    ]
    if counts.auxiliary:
        lines.insert(2, f'  and in training {counts.auxiliary:,} of the auxiliary classifier')
    return '\n'.join([counts.table, *lines] if table else lines)
