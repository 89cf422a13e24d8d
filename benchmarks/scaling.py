"""Estimate ImageNet training on 1, 8 and 64 GPUs from the cost of one image: the tables of docs/scaling.md.

    python benchmarks/scaling.py [--images-per-gpu 782] [--batch-size 32] [--milliseconds 6.1] ...

The milliseconds that one core takes to load an image are measured unless you pass them: with the training pipeline of
inception-v3-aux_8xb32_in1k, on JPEG files of 500 x 375 pixels and about 115 kB, cut from the two photographs that
scikit-learn ships. Everything else is an option; docs/scaling.md explains the defaults. The rates of several GPUs are
those of one times their number, so the table shows what the rest of the machine must deliver.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

IMAGES = 1_281_167
GPUS = (1, 8, 64)
GPUS_PER_MACHINE = 8
CONFIG = Path(__file__).resolve().parents[1] / 'configs/inception_v3/inception-v3-aux_8xb32_in1k.py'


def measure_loading(files: int = 64, rounds: int = 5) -> float:
    """Return the milliseconds that one core takes to load and augment an image: the median of the rounds' means."""
    import cv2
    import numpy as np
    import torch
    from mmcv.transforms import Compose
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmpretrain.registry import TRANSFORMS
    from sklearn.datasets import load_sample_images

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    init_default_scope('mmpretrain')
    pipeline = Compose([TRANSFORMS.build(step) for step in Config.fromfile(CONFIG).train_dataloader.dataset.pipeline])
    random = np.random.default_rng(0)
    photographs = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in load_sample_images().images]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f'{number}.jpg' for number in range(files)]
        for number, path in enumerate(paths):
            photograph = photographs[number % 2]
            top, left = (random.integers(0, size) for size in (photograph.shape[0] - 375, photograph.shape[1] - 500))
            quality = (97, 99)[number % 2]
            cv2.imwrite(str(path), photograph[top : top + 375, left : left + 500], [cv2.IMWRITE_JPEG_QUALITY, quality])
        size = sum(path.stat().st_size for path in paths) / files
        rates = [_seconds_of(pipeline, paths) / files for _ in range(rounds + 1)][1:]
    print(f'{files} files of {size / 1000:.0f} kB: {min(rates) * 1000:.1f} to {max(rates) * 1000:.1f} ms each\n')
    return median(rates) * 1000


def _seconds_of(pipeline: object, paths: list[Path]) -> float:
    start = time.perf_counter()
    for path in paths:
        pipeline(dict(img_path=str(path), gt_label=0))
    return time.perf_counter() - start


def requirements(gpus: int, args: argparse.Namespace) -> dict[str, str]:
    """Return a column of the table.

    Args:
        gpus: Number of GPUs.
        args: The options of the script.
    """
    rate = gpus * args.images_per_gpu
    step = args.batch_size / args.images_per_gpu
    machines = -(-gpus // GPUS_PER_MACHINE)
    gradients = 4e6 * args.parameters
    # A ring of n sends 2 (n - 1) / n of the data from each of its members.
    between_gpus = 2 * (gpus - 1) / gpus * gradients / step
    between_machines = 2 * (machines - 1) / machines * gradients / step
    return {
        'images/s': f'{rate:,.0f}',
        f'{args.epochs} epochs, hours': f'{args.epochs * IMAGES / rate / 3600:,.1f}',
        'images per step': f'{gpus * args.batch_size:,}',
        'steps/s': f'{1 / step:.1f}',
        'CPU cores for loading, in total': f'{rate * args.milliseconds / 1000:,.0f}',
        'files/s': f'{rate:,.0f}',
        'read from disk, MB/s': f'{rate * args.kilobytes / 1000:,.0f}',
        'gradients sent per GPU, GB/s': f'{between_gpus / 1e9:.1f}',
        'gradients sent per machine, GB/s': f'{between_machines / 1e9:.1f}',
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description='Estimate ImageNet training on 1, 8 and 64 GPUs.')
    parser.add_argument(
        '--images-per-gpu', type=float, default=782, help='images/s of a GPU when training; default: 782'
    )
    parser.add_argument('--batch-size', type=int, default=32, help='images per GPU and step; default: 32')
    parser.add_argument('--epochs', type=int, default=100, help='default: 100')
    parser.add_argument('--milliseconds', type=float, help='time of one core to load an image; default: measured')
    parser.add_argument('--kilobytes', type=float, default=115, help='size of an image file; default: 115')
    parser.add_argument('--parameters', type=float, default=27.16, help='trained parameters, millions; default: 27.16')
    args = parser.parse_args()
    if args.milliseconds is None:
        args.milliseconds = measure_loading()
    columns = [requirements(gpus, args) for gpus in GPUS]
    print(f'| {args.images_per_gpu:g} images/s per GPU, {args.milliseconds:.1f} ms per image and core | ', end='')
    print(' | '.join(f'{gpus} GPU{"s" * (gpus > 1)}' for gpus in GPUS), '|')
    print('|---' * (len(GPUS) + 1) + '|')
    for row in columns[0]:
        print(f'| {row} | {" | ".join(column[row] for column in columns)} |')


if __name__ == '__main__':
    main()
