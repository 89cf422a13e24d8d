"""From a config file and a tool's options to the config that the Runner is built from."""

from __future__ import annotations

from argparse import Namespace
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict

from mmpretrain_inception.configuring.config_file import load_config, merge_options
from mmpretrain_inception.configuring.ensemble import list_members, use_members
from mmpretrain_inception.configuring.exported import check_options, use_exported
from mmpretrain_inception.configuring.folder_config import use_image_folder
from mmpretrain_inception.configuring.sharding import check_sharding, drop_sharding
from mmpretrain_inception.deploy.backends.table import is_exported
from mmpretrain_inception.engine.runner.checkpoint_files import LAST, list_checkpoints
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.utils.cores import cores_per_process

# For one process. mmpretrain's configs take 5; beyond a few the memory of their batches grows and little else.
_MOST_WORKERS = 8


def config_for_training(args: Namespace) -> Config:
    """Build the config of a training run from the options of ``tools/train.py``.

    Args:
        args: ``config``, ``work_dir``, ``data``, ``resume``, ``amp``, ``no_validate``, ``auto_scale_lr``,
            ``no_pin_memory``, ``no_persistent_workers``, ``launcher`` and ``cfg_options``, as mmpretrain's tool names
            them.

    Returns:
        The config, complete for ``Runner.from_cfg``.

    Raises:
        UsageError: If the options do not fit the config.
        InputError: If the data or the checkpoint to resume from cannot be used.
    """
    cfg = _common_config(args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        _use_amp(cfg)
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise UsageError(
                f'{args.config}: --auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config'
            )
        cfg.auto_scale_lr.enable = True
    if args.no_persistent_workers:
        _set_in_loaders(cfg, persistent_workers=False)
    _apply_options(cfg, args)
    _count_accumulated_images(cfg)
    _fit_to_data(cfg, args)
    _fit_to_launcher(cfg)
    check_sharding(cfg, args.config)
    # After --cfg-options, which may set the work directory.
    _use_resume(cfg, args.resume)
    return cfg


def config_for_testing(args: Namespace) -> Config:
    """Build the config of a test run from the options of ``tools/test.py``.

    Args:
        args: ``config``, ``checkpoints``, ``work_dir``, ``data``, ``amp``, ``deploy``, ``skip_broken``,
            ``show``, ``show_dir``, ``interval``, ``wait_time``, ``no_pin_memory``, ``tta``, ``launcher`` and
            ``cfg_options``, as mmpretrain's tool names them.

    Returns:
        The config, complete for ``Runner.from_cfg``.

    Raises:
        UsageError: If the options do not fit the config.
        InputError: If the data or the checkpoint cannot be used.
    """
    cfg = _common_config(args)
    if args.amp:
        _test_in_amp(cfg)
    if args.show or args.show_dir:
        _use_visualization(cfg, args)
    _apply_options(cfg, args)
    drop_sharding(cfg)
    members = list_members(cfg, args.checkpoints, args.config)
    files = [member.checkpoint for member in members]
    _check_exported(files, cfg, args)
    _fit_to_data(cfg, args, files[0])
    _fit_to_launcher(cfg)
    if is_exported(files[0]):
        use_exported(cfg, files[0])
    else:
        use_members(cfg, members, args.config)
    if args.tta:
        _use_tta(cfg)
    _add_test_hooks(cfg, args.deploy)
    if args.skip_broken:
        cfg.custom_hooks = [*cfg.custom_hooks, dict(type='mmpretrain_inception.SkipBrokenHook')]
    return cfg


def config_for_data(args: Namespace) -> Config:
    """Build a config whose datasets alone matter from the options of ``tools/verify_dataset.py``.

    Args:
        args: ``config``, ``data`` and ``cfg_options``.

    Raises:
        UsageError: If the options do not fit the config.
        InputError: If the data cannot be used.
    """
    cfg = _common_config(Namespace(**vars(args), launcher='none', work_dir=None))
    merge_options(cfg, args.cfg_options)
    _fit_to_data(cfg, args)
    return cfg


def config_for_export(args: Namespace) -> Config:
    """Build the config of an export from the options of ``tools/export.py``.

    Args:
        args: ``config``, ``checkpoint``, ``work_dir``, ``data``, ``no_pin_memory``, ``launcher`` and ``cfg_options``.

    Raises:
        UsageError: If the options do not fit the config.
        InputError: If the data cannot be used.
    """
    cfg = _common_config(args)
    _apply_options(cfg, args)
    (member,) = list_members(cfg, [args.checkpoint], args.config)
    _fit_to_data(cfg, args, member.checkpoint)
    return cfg


def _common_config(args: Namespace) -> Config:
    cfg = load_config(args.config)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config.rpartition('::')[2]).stem)
    if args.data is not None:
        if 'image_folder' not in cfg:
            raise UsageError(
                f'{args.config}: --data is for configs that declare image_folder; this one names its own data'
            )
        cfg.image_folder = args.data
    return cfg


def _apply_options(cfg: Config, args: Namespace) -> None:
    """Apply the user's own settings, over those of the other options."""
    _set_loader_defaults(cfg)
    if args.no_pin_memory:
        _set_in_loaders(cfg, pin_memory=False)
    merge_options(cfg, args.cfg_options)
    for loader in _loaders(cfg):
        if loader.num_workers == 0:
            loader.persistent_workers = False


def _fit_to_data(cfg: Config, args: Namespace, checkpoint: str | None = None) -> None:
    if 'image_folder' not in cfg:
        return
    if cfg.image_folder is None:
        raise UsageError(
            f'{args.config}: this config needs --data DIR, a folder with train/<class>/* and val/<class>/*'
        )
    use_image_folder(cfg, checkpoint)


def _check_exported(files: list[str], cfg: Config, args: Namespace) -> None:
    options = {
        **{'--amp': args.amp, '--deploy': args.deploy, 'compile': cfg.get('compile')},
        '--launcher': args.launcher != 'none',
    }
    check_options(files, args.config, options)


def _fit_to_launcher(cfg: Config) -> None:
    if cfg.launcher != 'none' and not torch.cuda.is_available():
        # Runner would hand DDP a GPU's number. It can go when mmengine runs DDP on a CPU.
        cfg.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)


def _count_accumulated_images(cfg: Config) -> None:
    """Let ``--auto-scale-lr`` see the images of a step; mmengine's Runner counts those of an iteration."""
    if cfg.get('auto_scale_lr', {}).get('enable'):
        cfg.auto_scale_lr.base_batch_size /= cfg.optim_wrapper.get('accumulative_counts', 1)


def _use_amp(cfg: Config) -> None:
    if _lacks_bf16():
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    else:
        cfg.optim_wrapper.type = 'mmpretrain_inception.BF16OptimWrapper'


def _test_in_amp(cfg: Config) -> None:
    cfg.test_cfg.fp16 = True
    if not _lacks_bf16():
        cfg.test_cfg.setdefault('type', 'mmpretrain_inception.BF16TestLoop')


def _lacks_bf16() -> bool:
    return torch.cuda.is_available() and not torch.cuda.is_bf16_supported()


def _add_test_hooks(cfg: Config, deploy: bool) -> None:
    hooks = [dict(type='mmpretrain_inception.DeployHook')] if deploy else []
    # As mmengine's Runner reads it: False, True or the arguments of torch.compile.
    compile_cfg = cfg.get('compile') or None
    if compile_cfg is not None:
        arguments = {} if compile_cfg is True else compile_cfg
        hooks.append(dict(type='mmpretrain_inception.CompileHook', **arguments))
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), *hooks]


def _use_resume(cfg: Config, resume: str | None) -> None:
    if resume is None:
        return
    cfg.resume = True
    if resume != 'auto':
        cfg.load_from = resume
        return
    cfg.load_from = None
    work_dir = Path(cfg.work_dir)
    if not (work_dir / LAST).is_file() and not list_checkpoints(work_dir):
        raise InputError(
            f'{cfg.work_dir}: --resume expects the checkpoint of an earlier run here, but there is none; '
            'name it by --resume FILE or start without --resume'
        )


def _use_visualization(cfg: Config, args: Namespace) -> None:
    if args.tta:
        raise UsageError('--show and --show-dir show single images, and do not go together with --tta')
    if 'visualization' not in cfg.default_hooks:
        raise UsageError(f'{args.config}: --show and --show-dir need default_hooks.visualization in the config')
    cfg.default_hooks.visualization.update(
        enable=True, show=args.show, wait_time=args.wait_time, out_dir=args.show_dir, interval=args.interval
    )


def _use_tta(cfg: Config) -> None:
    """Wrap the model for test-time augmentation: the config's own, or the average over an image and its mirror."""
    if 'tta_pipeline' not in cfg:
        *steps, pack = deepcopy(cfg.test_dataloader.dataset.pipeline)
        mirrored = [dict(type='RandomFlip', prob=probability) for probability in (1.0, 0.0)]
        cfg.tta_pipeline = [*steps, dict(type='TestTimeAug', transforms=[mirrored, [pack]])]
    wrapper = cfg.get('tta_model', dict(type='mmpretrain.AverageClsScoreTTA'))
    cfg.model = ConfigDict(**wrapper, module=cfg.model)
    cfg.test_dataloader.dataset.pipeline = cfg.tta_pipeline
    # Views, and images before they are cropped, differ in size; mmengine's test-time augmentation expects lists.
    cfg.test_dataloader.collate_fn = dict(type='pseudo_collate')


def _set_loader_defaults(cfg: Config) -> None:
    defaults: dict[str, Any] = dict(
        num_workers=min(_MOST_WORKERS, cores_per_process()),
        # Page-locked memory speeds the copy to a GPU; without one it only warns.
        pin_memory=torch.cuda.is_available(),
        persistent_workers=True,
        collate_fn=dict(type='default_collate'),
    )
    for loader in _loaders(cfg):
        for name, value in defaults.items():
            loader.setdefault(name, value)


def _set_in_loaders(cfg: Config, **settings: Any) -> None:
    for loader in _loaders(cfg):
        loader.update(settings)


def _loaders(cfg: Config) -> list[ConfigDict]:
    loaders = [cfg.get(f'{phase}_dataloader') for phase in ('train', 'val', 'test')]
    return [loader for loader in loaders if loader is not None]
