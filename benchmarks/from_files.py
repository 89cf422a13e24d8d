"""Measure how much of a model's speed is left when ``tools/test.py`` reads JPEG files.

    python benchmarks/from_files.py [--images 384] [--rounds 5]

It writes JPEG files of 500 x 375 pixels, a common size in ImageNet, cut from two photographs that scikit-learn ships,
to a temporary folder. It tests them as `tools/test.py CONFIG CHECKPOINT --deploy` does in fp32, and as `tools/test.py
CONFIG model.xml` does in int8. After each pass over the files, the same model computes as many images from memory. The
weights are random. Needs the extra `deploy`.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from mmengine.device import get_device
from mmengine.runner import Runner
from sklearn.datasets import load_sample_images

from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import DataOptions, TestOptions
from mmpretrain_inception.deploy import switch_to_deploy
from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.export import export_model
from mmpretrain_inception.deploy.runtimes import load_runtime
from mmpretrain_inception.engine.runner.launch import build_runner
from mmpretrain_inception.registry import MODELS

CONFIG = Path(__file__).parents[1] / 'configs/inception_v3/inception-v3_1xb32_folder.py'
BATCH_SIZE = 32
CLASSES = ('first', 'second')
SIZE = 299
# As in the config.
STATISTICS = dict(mean=(127.5, 127.5, 127.5), std=(127.5, 127.5, 127.5), channel_order='RGB')


def write_images(folder: Path, count: int) -> None:
    """Write ``count`` JPEG files into each of ``folder/val/<class>``, and the same into ``folder/train/<class>``."""
    random = np.random.default_rng(0)
    photographs = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in load_sample_images().images]
    for split in ('train', 'val'):
        for name, photograph in zip(CLASSES, photographs):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                top, left = (
                    random.integers(0, size) for size in (photograph.shape[0] - 375, photograph.shape[1] - 500)
                )
                crop = photograph[top : top + 375, left : left + 500]
                cv2.imwrite(str(folder / split / name / f'{number}.jpg'), crop, [cv2.IMWRITE_JPEG_QUALITY, 95])


def build_test_run(folder: Path, checkpoint: str, *, deploy: bool = False) -> Runner:
    """Build the Runner that ``tools/test.py CONFIG CHECKPOINT`` builds."""
    options = TestOptions(
        str(CONFIG), data=str(folder), work_dir=str(folder / 'work'), checkpoints=(checkpoint,), deploy=deploy
    )
    return build_runner(configure(options).cfg, testing=True)


def time_one(runner: Runner, alone: Callable[[], object], images: int, rounds: int) -> list[tuple[float, float]]:
    """Return images/s from files and of the model alone, in turns; the first round of both is left out."""
    runner.test()
    alone()
    speeds = []
    for _ in range(rounds):
        start = time.perf_counter()
        runner.test_loop.run()
        middle = time.perf_counter()
        for _ in range(images // BATCH_SIZE):
            alone()
        end = time.perf_counter()
        speeds.append((images / (middle - start), images / (end - middle)))
    return speeds


def report(name: str, speeds: list[tuple[float, float]]) -> None:
    """Print the medians."""
    files, alone = (median(column) for column in zip(*speeds))
    share = median(first / second for first, second in speeds)
    print(f'| {name} | {files:.1f} | {alone:.1f} | {share:.2f} |', flush=True)


def build_model(folder: Path) -> torch.nn.Module:
    """Build the model of the config for the classes of the folder, with random weights."""
    cfg = configure(DataOptions(str(CONFIG), data=str(folder))).cfg
    model = MODELS.build({'data_preprocessor': cfg.data_preprocessor, **cfg.model})
    model.init_weights()
    return model.eval()


def measure_eager(model: torch.nn.Module, folder: Path, images: int, rounds: int) -> list[tuple[float, float]]:
    """Measure PyTorch in float32 with batch norm folded."""
    checkpoint = folder / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    # Where the Runner computes.
    device = torch.device(get_device())
    deployed, batch = switch_to_deploy(deepcopy(model)).to(device), torch.randn(BATCH_SIZE, 3, SIZE, SIZE).to(device)
    runner = build_test_run(folder, str(checkpoint), deploy=True)
    return time_one(runner, lambda: compute(deployed, batch), images, rounds)


def measure_int8(model: torch.nn.Module, folder: Path, images: int, rounds: int) -> list[tuple[float, float]]:
    """Measure OpenVINO in int8, with the preprocessing in the file."""
    file = folder / 'model.xml'
    batch = np.random.default_rng(0).integers(0, 256, (BATCH_SIZE, SIZE, SIZE, 3), dtype=np.uint8)
    contract = Contract(num_classes=len(CLASSES), height=SIZE, width=SIZE, **STATISTICS, with_preprocess=True)
    export_model(model, file, to='openvino', precision='int8', contract=contract, calibration=[batch[:8]])
    network = load_runtime(file)
    return time_one(build_test_run(folder, str(file)), lambda: network(batch), images, rounds)


def main() -> None:
    """Measure both forms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, default=384, help=f'a multiple of {BATCH_SIZE}; default: 384')
    parser.add_argument('--rounds', type=int, default=5, help='default: 5')
    args = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_images(folder, args.images // len(CLASSES))
        model = build_model(folder)
        for name, measure in (('eager fp32, --deploy', measure_eager), ('OpenVINO int8', measure_int8)):
            results[name] = measure(model, folder, args.images, args.rounds)
    print('| | images/s from files | model alone | share |\n|---|---|---|---|')
    for name, speeds in results.items():
        report(name, speeds)


def compute(model: torch.nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Compute logits, and wait for them if a GPU does it."""
    with torch.no_grad():
        return model(images, mode='tensor').cpu()


if __name__ == '__main__':
    main()
