"""Steps that measure images/s, with the rows of ``tools/benchmark.py``."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.gpu.settings import REPOSITORY, Settings
from benchmarks.speed.report import Result
from benchmarks.speed.run import Options, run_benchmark

_CONFIG = str(REPOSITORY / 'configs/inception_v3/inception-v3-aux_8xb32_in1k.py')
# Beside mmpretrain's, which is always there. Every row keeps a process with a model on the GPU.
_ROWS = {
    'inference': ['torchvision, channels_last', 'timm, channels_last', 'ours, --deploy', 'ours, --amp'],
    'training': ['torchvision, channels_last', 'timm, channels_last', 'ours, --amp'],
}
# Seven processes train at once; below this they would not fit with the usual batch.
_LARGE_MEMORY = 40e9


def of_inference(settings: Settings) -> dict[str, Any]:
    """Measure inference."""
    return _measure(settings, 'inference')


def of_training(settings: Settings) -> dict[str, Any]:
    """Measure training steps."""
    return _measure(settings, 'training')


def _measure(settings: Settings, phase: str) -> dict[str, Any]:
    number = list(_ROWS).index(phase)
    batch, size = settings.speed_batches[number], settings.speed_sizes[number]
    if settings.on_gpu and torch.cuda.get_device_properties(0).total_memory < _LARGE_MEMORY:
        batch //= 4
    options = Options(
        _CONFIG,
        phases=[phase],
        batch_sizes=(batch,),
        train_batch_sizes=(batch,),
        shape=(size, size),
        rounds=settings.rounds,
        only=_ROWS[phase],
    )
    results = run_benchmark(options)
    fastest = max(results, key=_speed)
    return {'fastest': f'{fastest.name}: {fastest.images_per_s:.0f} images/s', 'rows': [vars(row) for row in results]}


def _speed(result: Result) -> float:
    return result.images_per_s
