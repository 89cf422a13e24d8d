"""Steps that train the digits by ``apis.train``."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.gpu.settings import DIGITS, LeftOutError, Settings, build_classifier, expect, expect_close, prepare
from benchmarks.gpu.witness import FILE
from benchmarks.speed.machine import peak_memory
from benchmarks.speed.row_process import finished
from mmpretrain_inception.apis import TrainOptions, train

_AVERAGE = dict(type='mmpretrain_inception.SyncedEMAHook', momentum=0.02, update_buffers=True)
# As a share of the largest one; only the order of additions differs.
_SAME_GRADIENTS = 1e-3
_KEPT_TO_THE_BIT = ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')


class Trained(NamedTuple):
    """What a run left.

    Attributes:
        witness: What :class:`~benchmarks.gpu.witness.Witness` found.
        checkpoint: The last one.
        losses: Of all iterations.
    """

    witness: dict[str, Any]
    checkpoint: dict[str, Any]
    losses: list[float]


def run_training(
    settings: Settings,
    name: str,
    options: Mapping[str, Any] | None = None,
    *,
    average: bool = True,
    forward: bool = True,
    **others: Any,
) -> Trained:
    """Train two epochs of digits, and check what every run has to be.

    Args:
        settings: Where and on how much.
        name: Of the work directory.
        options: Further ``cfg_options``.
        average: Whether to average the weights.
        forward: Whether to look at the maps.
        **others: Further fields of ``TrainOptions``.
    """
    prepare(settings)
    witness = dict(type='benchmarks.gpu.witness.Witness', forward=forward)
    hooks = [_AVERAGE, witness] if average else [witness]
    cfg_options = {**settings.digits, 'custom_hooks': hooks, **(options or {})}
    work_dir = Path(settings.folder, name)
    train(TrainOptions(DIGITS, cfg_options=cfg_options, work_dir=str(work_dir), **others))
    found = json.loads((work_dir / FILE).read_text())
    # Without map_location: checkpoints hold no tensors of a GPU.
    checkpoint = torch.load((work_dir / 'last_checkpoint').read_text(), weights_only=True)
    losses = checkpoint['message_hub']['log_scalars']['train/loss']['log_history'].tolist()
    expect(found['devices'] == [settings.device], f'expected parameters on {settings.device}, got {found["devices"]}')
    expect(bool(torch.tensor(losses).isfinite().all()), f'expected finite losses, got {losses}')
    return Trained(found, checkpoint, losses)


def in_fp32(settings: Settings) -> dict[str, Any]:
    """Train in float32; every map is channels_last without a setting."""
    run = run_training(settings, 'fp32')
    _expect_maps(run, 'float32')
    return _losses(run)


def in_bf16(settings: Settings) -> dict[str, Any]:
    """Train with ``--amp`` where it means bfloat16."""
    run = run_training(settings, 'bf16', {'optim_wrapper.type': 'mmpretrain_inception.BF16OptimWrapper'})
    _expect_maps(run, 'bfloat16')
    return _losses(run)


def in_fp16(settings: Settings) -> dict[str, Any]:
    """Train with ``--amp`` as GPUs without bfloat16 do: float16 and a scaled loss, whose scale is saved."""
    if not settings.on_gpu:
        raise LeftOutError('a CPU trains in float16 neither here nor in mmengine')
    wrapper = {'type': 'AmpOptimWrapper', 'dtype': 'float16', 'loss_scale': 'dynamic'}
    run = run_training(settings, 'fp16', {f'optim_wrapper.{key}': value for key, value in wrapper.items()})
    _expect_maps(run, 'float16')
    return {**_losses(run), 'loss scale': run.checkpoint['optimizer']['loss_scaler']['scale']}


def with_average(settings: Settings) -> dict[str, Any]:
    """Average the weights, and compare with the same average in float64 on the CPU."""
    run = run_training(settings, 'average')
    off_by = run.witness['average_off_by']
    expect(off_by <= 1e-5, f'expected the average of the weights to 1e-5, got {off_by:.2g}')
    return {'difference from float64': off_by}


def accumulating(settings: Settings) -> dict[str, Any]:
    """Accumulate gradients over two iterations."""
    run = run_training(settings, 'accumulated', {'optim_wrapper.accumulative_counts': 2})
    steps = {int(state['step']) for state in run.checkpoint['optimizer']['state'].values()}
    iterations = len(run.losses)
    expect(steps == {iterations // 2}, f'expected {iterations // 2} steps in {iterations} iterations, got {steps}')
    return {'iterations': iterations, 'steps': iterations // 2}


def resumed(settings: Settings) -> dict[str, Any]:
    """Resume a deterministic run after its first epoch, and compare with the run that went on."""
    options = {'randomness.deterministic': True}
    whole = run_training(settings, 'whole', options)
    first = str(Path(settings.folder, 'whole/epoch_1.pth'))
    again = run_training(settings, 'resumed', options, resume=first)
    found, expected = ({key: run.checkpoint[key] for key in _KEPT_TO_THE_BIT} for run in (again, whole))
    different = differences(found, expected)
    expect(not different, f'expected the same bits, got differences in {len(different)} values: {different[:3]}')
    return {'compared': ', '.join(_KEPT_TO_THE_BIT)}


def in_processes(settings: Settings) -> dict[str, Any]:
    """Train with DDP in a group of one process: NCCL accepts one for each GPU."""
    _meet_nobody()
    run = run_training(settings, 'ddp', launcher='pytorch')
    _expect_group(settings, run, 'MMDistributedDataParallel')
    return {**_losses(run), 'backend': run.witness['backend']}


def sharded(settings: Settings) -> dict[str, Any]:
    """Train with FSDP in a group of one process."""
    _meet_nobody()
    policy = dict(type='torch.distributed.fsdp.wrap.size_based_auto_wrap_policy', min_num_params=1_000_000)
    wrapper = dict(type='MMFullyShardedDataParallel', auto_wrap_policy=policy)
    strategy = dict(type='mmpretrain_inception.FSDPStrategy', model_wrapper=wrapper)
    options = dict(runner_type='mmpretrain_inception.ResumableFlexibleRunner', strategy=strategy)
    run = run_training(settings, 'fsdp', options, average=False, forward=False, launcher='pytorch')
    _expect_group(settings, run, 'MMFullyShardedDataParallel')
    return {**_losses(run), 'backend': run.witness['backend']}


def compiled(settings: Settings) -> dict[str, Any]:
    """Train with ``compile`` in the config, which is mmengine's."""
    run = run_training(settings, 'compiled', {'compile': dict(backend=settings.compiler)}, forward=False)
    return {**_losses(run), 'compiler': settings.compiler}


def recomputing(settings: Settings) -> dict[str, Any]:
    """Compare the gradients, and the memory, of a step with ``with_cp`` with those of a step without."""
    torch.backends.cudnn.deterministic = True
    device, size = torch.device(settings.device), 299 if settings.on_gpu else 75
    gradients, peaks = [], []
    for with_cp in (False, True):
        model = build_classifier(with_cp=with_cp).train().to(device)
        images = torch.randn(settings.batch_size, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)

        def step(backbone: Any = model.backbone, images: torch.Tensor = images) -> None:
            backbone.zero_grad()
            backbone(images)[-1].square().mean().backward()

        step()
        peaks.append(peak_memory(finished(step, device), device))
        gradients.append([parameter.grad for parameter in model.backbone.parameters()])
    worst = max(
        expect_close(own, other, _SAME_GRADIENTS, 'gradients with with_cp') for own, other in zip(*reversed(gradients))
    )
    found: dict[str, Any] = {'difference of gradients': worst}
    return {**found, 'memory (MB)': f'{peaks[1]:.0f} instead of {peaks[0]:.0f}'} if all(peaks) else found


def differences(found: Any, expected: Any, name: str = '') -> list[str]:
    """Return the dotted names of the values in which two nested containers differ, by a bit or by more."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        names = [*expected, *(key for key in found if key not in expected)]
        pairs = [(key, found.get(key), expected.get(key)) for key in names]
    elif isinstance(expected, (list, tuple)) and type(found) is type(expected) and len(found) == len(expected):
        pairs = [(number, *pair) for number, pair in enumerate(zip(found, expected))]
    else:
        tensors = isinstance(expected, torch.Tensor) and isinstance(found, torch.Tensor)
        same = torch.equal(found, expected) if tensors else found == expected
        return [] if same else [name.removeprefix('.')]
    return [one for key, own, other in pairs for one in differences(own, other, f'{name}.{key}')]


def _expect_maps(run: Trained, kind: str) -> None:
    expect(run.witness['types'] == [kind], f'expected convolutions in {kind}, got {run.witness["types"]}')
    expect(run.witness['channels_last'], 'expected all maps in channels_last, got others')


def _expect_group(settings: Settings, run: Trained, wrapper: str) -> None:
    expected = (wrapper, 'nccl' if settings.on_gpu else 'gloo')
    found = (run.witness['wrapper'], run.witness['backend'])
    expect(found == expected, f'expected {expected}, got {found}')


def _losses(run: Trained) -> dict[str, Any]:
    return {'loss': f'{run.losses[0]:.3f} to {run.losses[-1]:.3f}'}


def _meet_nobody() -> None:
    """Set what torchrun sets for a single process."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    group = dict(RANK=0, LOCAL_RANK=0, WORLD_SIZE=1, LOCAL_WORLD_SIZE=1, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    os.environ.update({name: str(value) for name, value in group.items()})
