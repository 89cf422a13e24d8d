"""Draws network.svg: the layers of the backbone with the shapes of their outputs for a 299 x 299 image.

python docs/images/network.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from mmpretrain_inception import InceptionV3

COLORS = {'Conv': '#4c78a8', 'maxp': '#9aa5b1', 'Mixed_5': '#54a24b', 'Mixed_6': '#f58518', 'Mixed_7': '#b279a2'}
INK = '#333333'
WIDTH, GAP = 0.78, 0.22


def shapes() -> list[tuple[str, int, int]]:
    """Return name, channels and side of every layer's output."""
    backbone, rows, x = InceptionV3().eval(), [], torch.zeros(1, 3, 299, 299)
    with torch.no_grad():
        for name, layer in backbone.named_children():
            x = layer(x)
            rows.append((name, x.shape[1], x.shape[2]))
    return rows


def box(axes: Axes, left: float, height: float, color: str, label: str, shape: str) -> None:
    """Draw one layer: a box as high as its map is large, with its name above and its shape below."""
    axes.add_patch(
        FancyBboxPatch(
            (left, -height / 2), WIDTH, height, boxstyle='round,pad=0,rounding_size=0.06', color=color, linewidth=0
        )
    )
    axes.text(left + WIDTH / 2, height / 2 + 0.08, label, rotation=55, ha='left', va='bottom', fontsize=7.5, color=INK)
    axes.text(left + WIDTH / 2, -height / 2 - 0.1, shape, ha='center', va='top', fontsize=5.8, color=INK)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow from one point to another."""
    axes.annotate('', end, start, arrowprops=dict(arrowstyle='-|>', color=INK, lw=0.9, shrinkA=0, shrinkB=0))


def main() -> None:
    """Draw, and write beside this file."""
    figure, axes = plt.subplots(figsize=(11, 3.1))
    left = 0.0
    for name, channels, side in shapes():
        color = next(color for start, color in COLORS.items() if name.startswith(start))
        height = 0.35 + 2.4 * side / 149
        box(axes, left, height, color, name, f'{channels}\n{side}x{side}')
        if name == 'Mixed_6e':
            x, bottom = left + WIDTH / 2, -height / 2
            arrow(axes, (x, bottom - 0.8), (x, -1.55))
            axes.text(x, -1.62, 'auxiliary classifier\n(training only)', ha='center', va='top', fontsize=7.5, color=INK)
        left += WIDTH + GAP
    arrow(axes, (left - GAP + 0.04, 0), (left + 0.5, 0))
    axes.text(left + 0.56, 0, 'neck: pool to 2048\nhead: 1000 logits', ha='left', va='center', fontsize=8, color=INK)
    axes.set(xlim=(-0.3, left + 3.2), ylim=(-2.3, 2.6), aspect='equal')
    axes.axis('off')
    figure.savefig(
        Path(__file__).with_name('network.svg'), bbox_inches='tight', pad_inches=0.05, metadata=dict(Date=None)
    )


if __name__ == '__main__':
    plt.rcParams.update({'svg.fonttype': 'path', 'svg.hashsalt': 'network', 'font.family': 'sans-serif'})
    main()
