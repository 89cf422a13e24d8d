"""How fast a folder of 1.28 million images starts, and how much memory its workers take.

    python benchmarks/file_list.py [--files 1280000] [--classes 1000] [--workers 4] [--rounds 5]
        [--cold]

It makes the folder in a temporary one (hard links of a few JPEG files of 500 x 375), and in every round starts a fresh
process twice: with our dataset and, to compare, with mmpretrain's own. Each builds the loader as the Runner does, takes
the first batch of 32, and reports the seconds from before the dataset is built (imports are not counted) and the memory
of the process and its workers: the sum of their proportional set sizes, which counts what they share once. With
``--cold`` the disk caches of the system are dropped before each start, as after booting; that takes root. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

# ext4 allows 65,000 names of one file.
LINKS = 60_000
BATCH = 32


def make_folder(root: Path, files: int, classes: int) -> None:
    """Write ``root/train/<class>/*.JPEG``: as many names as asked for, of few files."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    per_class = files // classes
    made = 0
    for label in range(classes):
        folder = root / 'train' / f'n{label:08d}'
        folder.mkdir(parents=True)
        for index in range(per_class):
            if made % LINKS == 0:
                source = root / f'{made // LINKS}.jpg'
                picture = cv2.resize(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8), (500, 375))
                cv2.imwrite(str(source), picture)
            os.link(source, folder / f'n{label:08d}_{index}.JPEG')
            made += 1


def first_batch(root: str, dataset: str, workers: int) -> dict[str, float]:
    """Build a training loader, take a batch, and measure."""
    import cv2
    from mmengine.registry import DefaultScope
    from mmengine.runner import Runner

    import mmpretrain_inception  # noqa: F401 - registers the dataset

    cv2.setNumThreads(0)  # as env_cfg of our configs
    pipeline = [
        dict(type='mmpretrain_inception.LoadImage'),
        dict(type='RandomResizedCrop', scale=299),
        dict(type='PackInputs'),
    ]
    settings = dict(type=dataset, data_root=root, data_prefix='train', pipeline=pipeline)
    loader = dict(
        batch_size=BATCH,
        num_workers=workers,
        dataset=settings,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        start = time.perf_counter()
        built = Runner.build_dataloader(loader, seed=0)
        listed = time.perf_counter() - start
        batches = iter(built)
        next(batches)
    seconds = time.perf_counter() - start
    return dict(listed_s=listed, first_batch_s=seconds, memory_gb=memory_of_processes() / 1e9)


def memory_of_processes() -> int:
    """Return the proportional set size of this process and its children, in bytes."""
    children = Path(f'/proc/self/task/{os.getpid()}/children').read_text().split()
    return sum(_proportional_size(process) for process in ('self', *children))


def _proportional_size(process: str) -> int:
    lines = Path(f'/proc/{process}/smaps_rollup').read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('Pss:'))


def measure(root: Path, dataset: str, workers: int, cold: bool) -> dict[str, float]:
    """Measure in a process of its own."""
    if cold:
        os.sync()
        Path('/proc/sys/vm/drop_caches').write_text('3')
    command = [sys.executable, __file__, '--root', str(root), '--dataset', dataset, '--workers', str(workers)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout.splitlines()[-1])


def main() -> None:
    """Make the folder, measure, and print a table of medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--files', type=int, default=1_280_000, help='number of files; default: 1,280,000')
    parser.add_argument('--classes', type=int, default=1000, help='number of classes; default: 1,000')
    parser.add_argument('--workers', type=int, default=4, help='workers of the loader; default: 4')
    parser.add_argument('--dataset', default='mmpretrain_inception.ImageFolder', help='default: %(default)s')
    parser.add_argument('--rounds', type=int, default=5, help='how often each starts; default: 5')
    parser.add_argument('--cold', action='store_true', help="drop the system's caches before each start")
    parser.add_argument('--directory', help='where to make the temporary folder; default: the system decides')
    parser.add_argument('--root', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.root:
        print(json.dumps(first_batch(args.root, args.dataset, args.workers)))
        return
    with tempfile.TemporaryDirectory(dir=args.directory) as temporary:
        root = Path(temporary)
        make_folder(root, args.files, args.classes)
        starts = dict(ours=args.dataset, mmpretrain='CustomDataset')
        rounds = []
        for _ in range(args.rounds):
            rounds.append({name: measure(root, dataset, args.workers, args.cold) for name, dataset in starts.items()})
    print(f'{"start":12}{"listed, s":>12}{"first batch, s":>16}{"memory, GB":>12}{"against ours":>20}')
    for name in starts:
        listed, batch, memory = (median(row[name][key] for row in rounds) for key in rounds[0][name])
        ratio = median(row[name]['first_batch_s'] / row['ours']['first_batch_s'] for row in rounds)
        print(f'{name:12}{listed:12.2f}{batch:16.2f}{memory:12.2f}{ratio:20.2f}')


if __name__ == '__main__':
    main()
