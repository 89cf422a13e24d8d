"""Measure the peak memory of a training step with and without activation checkpointing (`with_cp`).

    python benchmarks/checkpointing_memory.py [--batch-size 16] [--size 299] [--rounds 5]

It trains the published model with its auxiliary classifier and SGD with momentum. Every measurement is a new process:
it builds the model and the optimizer, notes its resident memory, runs three steps (the optimizer has state from the
second on), and reports the peak of the resident memory minus what it noted. This includes gradients and momentum, 2 x
109 MB, but not the parameters. Linux only: the numbers come from /proc/self/status.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

CONFIG = Path(__file__).resolve().parents[1] / 'configs/inception_v3/inception-v3-aux_8xb32_in1k.py'
STEPS = 3
PRECISIONS = ('fp32', 'bf16')


def peak_of_step(precision: str, with_cp: bool, batch_size: int, size: int) -> float:
    """Return the memory in MB that training steps take beyond the model itself.

    Args:
        precision: ``'fp32'`` or ``'bf16'`` (autocast).
        with_cp: Whether activations are computed again in the backward pass.
        batch_size: Images per step.
        size: Height and width in pixels.
    """
    import torch
    from mmengine.config import Config
    from mmpretrain.registry import MODELS
    from mmpretrain.structures import DataSample

    torch.set_num_threads(2)
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.with_cp = with_cp
    model = MODELS.build(cfg.model).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images = torch.rand(batch_size, 3, size, size)
    samples = [DataSample().set_gt_label(label) for label in range(batch_size)]
    before = _memory('VmRSS')
    for _ in range(STEPS):
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=precision == 'bf16'):
            losses = model(images, samples, mode='loss')
        (losses['loss'] + losses['loss_aux']).backward()
        optimizer.step()
        optimizer.zero_grad()
    return _memory('VmHWM') - before


def _memory(field: str) -> float:
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(f'{field}:'):
            return int(line.split()[1]) / 1000
    raise RuntimeError(f'/proc/self/status has no {field}')


def main() -> None:
    """Run the rounds, with and without checkpointing in turns, and print the table."""
    parser = argparse.ArgumentParser(description='Measure the peak memory of a training step with and without with_cp.')
    parser.add_argument('--batch-size', type=int, default=16, help='images per step; default: 16')
    parser.add_argument('--size', type=int, default=299, help='height and width in pixels; default: 299')
    parser.add_argument('--rounds', type=int, default=5, help='measurements per row; default: 5')
    args = parser.parse_args()
    print('| precision | without (MB) | with_cp (MB) | ratio (range) |\n|---|---|---|---|')
    with ProcessPoolExecutor(1, get_context('spawn'), max_tasks_per_child=1) as pool:
        for precision in PRECISIONS:
            peaks = [
                [pool.submit(peak_of_step, precision, cp, args.batch_size, args.size).result() for cp in (False, True)]
                for _ in range(args.rounds)
            ]
            without, with_cp = (median(column) for column in zip(*peaks))
            ratios = [checkpointed / plain for plain, checkpointed in peaks]
            print(
                f'| {precision} | {without:.0f} | {with_cp:.0f} | '
                f'{with_cp / without:.2f} ({min(ratios):.2f}-{max(ratios):.2f}) |'
            )


if __name__ == '__main__':
    main()
