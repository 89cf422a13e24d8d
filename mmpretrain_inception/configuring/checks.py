"""Combinations of settings that are errors, or that the user is told about."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmengine._strategy import FSDPStrategy
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EMAHook

from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.options import TestOptions, TrainOptions
from mmpretrain_inception.deploy.table import is_exported
from mmpretrain_inception.engine import ResumableFlexibleRunner, ResumableRunner, SafeCheckpointHook
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.registry import HOOKS, RUNNERS, STRATEGIES, is_kind, resolve

_RULE = 'default_hooks.checkpoint.rule'
_SAVE_BEST = 'default_hooks.checkpoint.save_best'


def check_sharding(cfg: Config, name: str, launcher: str) -> None:
    """Refuse settings that fail, or give other results, when parameters are sharded.

    Args:
        cfg: A config for training. Without ``strategy=dict(type='...FSDPStrategy')`` nothing is checked.
        name: The config file, for messages.
        launcher: What started the processes.

    Raises:
        UsageError: If the config has such a setting, with what to do instead.
    """
    if not is_kind(cfg.get('strategy'), FSDPStrategy, STRATEGIES):
        return
    if launcher == 'none':
        raise UsageError(
            f'{name}: this config shards the model over several processes; start it with tools/dist_train.sh, or train '
            'in one process with the config it inherits from'
        )
    if any(is_kind(hook, EMAHook, HOOKS) for hook in cfg.get('custom_hooks') or ()):
        # mmengine's hook copies the model after FlexibleRunner has resumed, and copies the process's share only.
        raise UsageError(
            f'{name}: sharded training does not support averaged weights (EMAHook in custom_hooks); '
            'remove the hook, or train without FSDPStrategy'
        )
    clipping = cfg.optim_wrapper.get('clip_grad')
    if clipping and clipping.get('type', 'norm') == 'norm':
        raise UsageError(
            f"{name}: optim_wrapper.clip_grad would clip by the norm of one process's share; clip by value, "
            "clip_grad=dict(type='value', clip_value=...), or train without FSDPStrategy"
        )


def check_accumulation(cfg: Config, name: str) -> None:
    """Refuse a Runner that does not count accumulated images when it scales the learning rate.

    Raises:
        UsageError: If gradients accumulate and the Runner is not one of ours.
    """
    runner = resolve(cfg.get('runner_type', 'Runner'), RUNNERS)
    counts = runner is not None and issubclass(runner, (ResumableRunner, ResumableFlexibleRunner))
    if cfg.optim_wrapper.get('accumulative_counts', 1) > 1 and not counts:
        raise UsageError(
            f'{name}: auto_scale_lr with optim_wrapper.accumulative_counts needs '
            "runner_type='mmpretrain_inception.ResumableRunner', because mmengine's Runner does not count the "
            'accumulated images'
        )


def check_exported_options(checkpoints: Sequence[str], options: TestOptions, launcher: str, compiled: bool) -> None:
    """Refuse options that work with a checkpoint but not with an exported file.

    Args:
        checkpoints: The files to test.
        options: The options of the command line.
        launcher: What started the processes.
        compiled: Whether the config asks for ``torch.compile``.

    Raises:
        UsageError: If there is an exported file and another file or such an option.
    """
    exported = [path for path in checkpoints if is_exported(path)]
    if not exported:
        return
    if len(checkpoints) > 1:
        raise UsageError(f'{options.config}: {exported[0]} is an exported file, and those are evaluated one at a time')
    changing = {
        '--amp': options.amp,
        '--deploy': options.deploy,
        'compile': compiled,
        '--launcher': launcher != 'none',
        # Number of classes and normalisation are compared with the file's.
        **{key: True for key in options.cfg_options or () if key.startswith(('model.backbone.', 'model.neck.'))},
    }
    chosen = [option for option, value in changing.items() if value]
    if chosen:
        raise UsageError(
            f'{exported[0]}: {chosen[0]} changes how PyTorch runs a model, but the precision and form of an exported '
            'file are its own; leave it out'
        )


def check_output_file(file: str, setting: str) -> None:
    """Refuse a file of results that cannot be written; arguments and errors as in :func:`check_output_folder`."""
    if os.path.isdir(file):
        raise InputError(f'{setting} {file}: expected a file, got a folder')
    check_output_folder(os.path.dirname(file) or '.', setting)


def check_output_folder(folder: str, setting: str) -> None:
    """Refuse a folder for results that cannot be made or written to, before anything is computed.

    Args:
        folder: The folder; it need not exist.
        setting: The option that names it, for the message.

    Raises:
        InputError: If a file has its name or that of a folder above it, or if writing is not permitted.
    """
    nearest = os.path.abspath(folder)
    while not os.path.lexists(nearest):
        nearest = os.path.dirname(nearest)
    if not os.path.isdir(nearest):
        raise InputError(f'{setting} {folder}: expected a folder, but {nearest} is not one')
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f'{setting} {folder}: no permission to write in {nearest}')


def check_shown(options: TestOptions, cfg: Config) -> None:
    """Refuse to show images that are augmented, or without the hook that shows them.

    Raises:
        UsageError: If so.
        InputError: If the images cannot be written where ``--show-dir`` says.
    """
    if not (options.show or options.show_dir):
        return
    if options.show_dir:
        check_output_folder(options.show_dir, '--show-dir')
    if options.tta:
        raise UsageError('--show and --show-dir show single images, and do not go together with --tta')
    if get_at(cfg, 'default_hooks.visualization') is None:
        raise UsageError(f'{options.config}: --show and --show-dir need default_hooks.visualization in the config')


def remark_on_precision(amp: bool | str, precision: str) -> Iterator[str]:
    """Say that mixed precision was asked for, and why the run stays in float32.

    Args:
        amp: The option.
        precision: What the run computes in.
    """
    if amp and precision == 'fp32':
        yield (
            '--amp has no effect: this processor only emulates bfloat16, slower than float32; '
            'the run stays in float32 (--amp force insists)'
        )


def remark_on_bf16_file(path: str, precision: str, native: bool) -> Iterator[str]:
    """Say that an exported file computes in bfloat16, which is slow on this processor.

    Args:
        path: The file.
        precision: What it computes in.
        native: Whether this processor computes in bfloat16.
    """
    if precision == 'bf16' and not native:
        yield f'{path} is in bf16, which this processor only emulates: it is slower here than a file in fp32'


def remark_on_batch_size(options: TrainOptions, cfg: Config) -> Iterator[str]:
    """Say that the learning rate was chosen for another batch than the user's."""
    base = get_at(cfg, 'auto_scale_lr.base_batch_size')
    scaled = options.auto_scale_lr or get_at(cfg, 'auto_scale_lr.enable')
    chosen = options.lr is not None or 'optim_wrapper.optimizer.lr' in (options.cfg_options or {})
    if options.launcher not in ('none', 'pytorch'):
        # Others do not say in advance how many processes there are.
        return
    processes = int(os.environ.get('WORLD_SIZE', '1')) if options.launcher == 'pytorch' else 1
    images = (options.batch_size or 0) * processes * get_at(cfg, 'optim_wrapper.accumulative_counts', 1)
    if images and base and images != base and not scaled and not chosen:
        yield (
            f'--batch-size {options.batch_size}: the learning rate stays {get_at(cfg, "optim_wrapper.optimizer.lr")}, '
            f'which is for {base} images per step, and there are {images}; --auto-scale-lr scales it'
        )


def remark_on_schedule(cfg: Config) -> Iterator[str]:
    """Say that the learning rate's schedule is longer than the training, so that its end is never reached."""
    epochs = get_at(cfg, 'train_cfg.max_epochs')
    schedules = cfg.get('param_scheduler') or ()
    if epochs is None or not isinstance(schedules, (list, tuple)):
        return
    ends = [schedule.get('end') for schedule in schedules if schedule.get('by_epoch', True)]
    last = max((end for end in ends if isinstance(end, int)), default=0)
    if last > epochs:
        yield (
            f'the learning rate is scheduled up to epoch {last} (param_scheduler), but training ends after '
            f'{epochs} (train_cfg.max_epochs)'
        )


def remark_on_checkpoints(cfg: Config) -> Iterator[str]:
    """Say that checkpoints count epochs where training counts iterations, so that only the end is saved."""
    training, hook = cfg.get('train_cfg') or {}, get_at(cfg, 'default_hooks.checkpoint')
    by_iterations = training.get('by_epoch') is False or 'max_iters' in training
    if by_iterations and is_kind(hook, CheckpointHook, HOOKS) and hook.get('by_epoch', True):
        yield (
            'training counts iterations but default_hooks.checkpoint counts epochs: only the end is saved; for more, '
            'set default_hooks.checkpoint.by_epoch=False and default_hooks.checkpoint.interval=N'
        )


def remark_on_save_best(cfg: Config, options: Mapping[str, Any]) -> list[str]:
    """Say that the config's rule for the best checkpoint is of another metric than the one the user chose.

    Args:
        cfg: The config.
        options: What the user set by ``--cfg-options``.

    Returns:
        A line if ``save_best`` is the user's, ``rule`` is not, and the two contradict each other; else nothing.
    """
    rule, metric = get_at(cfg, _RULE), options.get(_SAVE_BEST)
    if rule is None or not isinstance(metric, str) or any(key.startswith(_RULE) for key in options):
        return []
    known = known_rule(metric)
    if known in (None, rule):
        return []
    best = 'lowest' if known == 'less' else 'highest'
    return [f'{_RULE}={rule} of the config is not used: the best {metric} is the {best}']


def known_rule(metric: str) -> str | None:
    """Return ``greater`` or ``less``, whichever is better of a metric; None if its name does not tell."""
    try:
        return SafeCheckpointHook(save_best=metric).rules[0]
    except InputError:
        return None
