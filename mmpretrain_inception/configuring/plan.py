"""The plan of a run, as plain values: decided from options, config and machine, and checked together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from mmengine.config import Config

from mmpretrain_inception.configuring.checks import (
    check_accumulation,
    check_exported_options,
    check_output_file,
    check_output_folder,
    check_sharding,
    check_shown,
    remark_on_batch_size,
    remark_on_bf16_file,
    remark_on_checkpoints,
    remark_on_precision,
    remark_on_save_best,
    remark_on_schedule,
)
from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.ensemble import Member, declared_members, list_members, model_key, with_models
from mmpretrain_inception.configuring.exported import check_contract
from mmpretrain_inception.configuring.folder import FolderData, check_resumed_data, plan_folder
from mmpretrain_inception.configuring.image_size import check_image_size
from mmpretrain_inception.configuring.machine import FP32, Machine
from mmpretrain_inception.configuring.options import (
    ConfigOptions,
    DataOptions,
    ExportOptions,
    RunOptions,
    TestOptions,
    TrainOptions,
)
from mmpretrain_inception.configuring.pretrained import (
    check_resumed_preprocessing,
    plan_start,
    remark_on_names,
    remark_on_preprocessing,
    remark_on_unused,
)
from mmpretrain_inception.configuring.resuming import find_checkpoint
from mmpretrain_inception.configuring.several_labels import for_several_labels
from mmpretrain_inception.configuring.trained_data import check_labels
from mmpretrain_inception.configuring.values import check_groups, check_values
from mmpretrain_inception.deploy.from_config import num_classes_of, scores_of
from mmpretrain_inception.deploy.table import is_exported
from mmpretrain_inception.errors import UsageError

# Per process. mmpretrain's configs use 5; more workers mostly need more memory.
_MOST_WORKERS = 8


@dataclass(frozen=True)
class Plan:
    """What every command decides.

    Attributes:
        data: The user's folder and its classes. None: the config names its own data.
        notes: What is replaced, left out or ignored, one line each, for the user.
    """

    data: FolderData | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunPlan(Plan):
    """What a Runner needs.

    Attributes:
        work_dir: Folder for logs and checkpoints.
        launcher: What started the processes.
        ddp_on_cpu: Whether data-parallel processes run on CPUs.
        loaders: Settings of each loader that the config leaves open, by the name of the loader.
        pin_memory: Whether the loaders may pin memory.
        precision: ``fp32``, ``fp16`` or ``bf16``.
    """

    work_dir: str = 'work_dirs'
    launcher: str = 'none'
    ddp_on_cpu: bool = False
    loaders: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pin_memory: bool = True
    precision: str = FP32


@dataclass(frozen=True)
class TrainPlan(RunPlan):
    """What a training run does.

    Attributes:
        validate: Whether to evaluate during training.
        auto_scale_lr: Whether the learning rate is scaled with the images per step.
        persistent_workers: Whether the loader's processes outlive an epoch.
        resume: What to resume from: ``auto``, or a file. None: a new run.
        drop_rule: Whether the config's rule for the best checkpoint is of another metric and does not hold.
        start: What training starts from and what goes with it, by the dotted names of the settings.
    """

    validate: bool = True
    auto_scale_lr: bool = False
    persistent_workers: bool = True
    resume: str | None = None
    drop_rule: bool = False
    start: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TestPlan(RunPlan):
    """What a test run does.

    Attributes:
        members: The checkpoints, with models where there are several.
        ensemble: Whether the scores of members are averaged.
        exported: Whether the only member is an exported file.
        deploy: Whether batch norm is folded first.
        compile: Arguments of ``torch.compile``. None: not compiled.
        skip_broken: Whether images that cannot be decoded are left out.
        tta: Whether to average over test-time augmentation.
        shown: Settings of the hook that shows images. None: none are shown.
    """

    # Its name would make pytest collect it.
    __test__: ClassVar[bool] = False

    members: tuple[Member, ...] = ()
    ensemble: bool = False
    exported: bool = False
    deploy: bool = False
    compile: Mapping[str, Any] | None = None
    skip_broken: bool = False
    tta: bool = False
    shown: Mapping[str, Any] | None = None


def make_plan(options: ConfigOptions, cfg: Config, machine: Machine) -> Plan:
    """Decide what a command does.

    Args:
        options: What the user asks for.
        cfg: The config with ``options.cfg_options`` applied.
        machine: What the run has.

    Raises:
        UsageError: If the options do not fit the config or each other.
        InputError: If the data or a checkpoint cannot be used.
    """
    check_values(cfg, options.config)
    if isinstance(options, (RunOptions, ExportOptions)) and options.image_size is not None:
        check_image_size(cfg, options.image_size)
    if isinstance(options, TrainOptions):
        return plan_training(options, cfg, machine)
    if isinstance(options, TestOptions):
        return plan_test(options, cfg, machine)
    if isinstance(options, ExportOptions):
        members = list_members(cfg, [options.checkpoint], options.config)
        phases = ('train', 'test') if options.precision == 'int8' else ('test',)
        data = _folder(options, cfg, phases, [members[0].checkpoint])
        _check_labels([members[0].checkpoint], cfg, data, options.config)
        return RunPlan(
            data=data,
            notes=(
                *remark_on_bf16_file(options.out, options.precision, machine.processor_bf16),
                *remark_on_names([options.checkpoint]),
                *remark_on_preprocessing(options.checkpoint, cfg, resized=options.image_size is not None),
            ),
            loaders=_loader_defaults(cfg, machine),
            work_dir=_work_dir(options, cfg),
        )
    if isinstance(options, DataOptions):
        return Plan(data=_folder(options, cfg, ('train', 'val', 'test')))
    return Plan()


def plan_training(options: TrainOptions, cfg: Config, machine: Machine) -> TrainPlan:
    """Decide what ``tools/train.py`` does; arguments and errors as in :func:`make_plan`."""
    name = options.config
    if options.auto_scale_lr and 'auto_scale_lr' not in cfg:
        raise UsageError(f'{name}: --auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config')
    if options.patience is not None and options.no_validate:
        raise UsageError('--patience counts validations, and --no-validate leaves them out; leave one of them out')
    check_groups(cfg, name, ('train',) if options.no_validate else ('train', 'val'))
    launcher = _launcher(options)
    check_sharding(cfg, name, launcher)
    if options.auto_scale_lr or cfg.get('auto_scale_lr', {}).get('enable'):
        check_accumulation(cfg, name)
    phases = ('train',) if options.no_validate else ('train', 'val')
    data = _folder(options, cfg, phases)
    work_dir = _work_dir(options, cfg)
    check_output_folder(work_dir, '--work-dir')
    precision = machine.precision(options.amp)
    notes = [
        *remark_on_precision(options.amp, precision),
        *remark_on_batch_size(options, cfg),
        *remark_on_schedule(cfg),
        *remark_on_checkpoints(cfg),
    ]
    dropped = remark_on_save_best(cfg, options.cfg_options or {})
    if options.resume is not None:
        checkpoint = find_checkpoint(options.resume, Path(work_dir), cfg)
        if data is not None:
            check_resumed_data(checkpoint, data)
        _check_labels([checkpoint], cfg, data, name)
        notes += remark_on_unused(options.weights, options.cfg_options or {})
    resumed = checkpoint if options.resume is not None else '' if cfg.get('resume') else None
    start = plan_start(options.weights, cfg, options.cfg_options or {}, resumed=resumed)
    if resumed:
        check_resumed_preprocessing(resumed, cfg, start)
    source = options.weights or cfg.get('load_from') or ''
    notes += remark_on_names([source])
    if len(start) > 1:
        notes.append(f'--weights {source}: images are prepared as it expects, and not as in {name}')
    elif not options.weights and resumed is None:
        notes += remark_on_preprocessing(source, cfg)
    return TrainPlan(
        data=data,
        notes=(*notes, *dropped),
        work_dir=work_dir,
        launcher=launcher,
        ddp_on_cpu=launcher != 'none' and not machine.cuda,
        loaders=_loader_defaults(cfg, machine),
        pin_memory=not options.no_pin_memory,
        precision=precision,
        validate=not options.no_validate,
        auto_scale_lr=options.auto_scale_lr,
        persistent_workers=not options.no_persistent_workers,
        resume=options.resume,
        drop_rule=bool(dropped),
        start=start,
    )


def plan_test(options: TestOptions, cfg: Config, machine: Machine) -> TestPlan:
    """Decide what ``tools/test.py`` does; arguments and errors as in :func:`make_plan`."""
    name = options.config
    check_groups(cfg, name, ('test',))
    launcher = _launcher(options)
    members = list_members(cfg, options.checkpoints, name)
    files = [member.checkpoint for member in members]
    check_shown(options, cfg)
    work_dir = _work_dir(options, cfg)
    check_output_folder(work_dir, '--work-dir')
    if options.out:
        check_output_file(options.out, '--out')
    # As mmengine's Runner reads it: False, True or the arguments of torch.compile.
    compiled = {} if cfg.get('compile') is True else cfg.get('compile') or None
    check_exported_options(files, options, launcher, compiled is not None)
    data = _folder(options, cfg, ('test',), files)
    exported = is_exported(files[0])
    ensemble = bool(declared_members(cfg)) or len(members) > 1
    precision = machine.precision(options.amp)
    notes = [*remark_on_precision(options.amp, precision), *remark_on_names(options.checkpoints)]
    own = [member.checkpoint for member in members if member.config is None and member.model is None]
    for source in options.checkpoints if len(own) == len(members) else ():
        notes += remark_on_preprocessing(source, cfg, resized=options.image_size is not None)
    trained = _check_labels(own, cfg, data, name)
    if exported:
        classes = data.classes if data else None
        contract = check_contract(files[0], trained, len(classes) if classes else num_classes_of(cfg), classes)
        notes += remark_on_bf16_file(files[0], contract.precision, machine.processor_bf16)
    elif ensemble:
        members = with_models(members, trained, name)
    shown = dict(show=options.show, wait_time=options.wait_time, out_dir=options.show_dir, interval=options.interval)
    return TestPlan(
        data=data,
        notes=tuple(notes),
        work_dir=work_dir,
        launcher=launcher,
        ddp_on_cpu=launcher != 'none' and not machine.cuda,
        loaders=_loader_defaults(cfg, machine),
        pin_memory=not options.no_pin_memory,
        precision=precision,
        members=tuple(members),
        ensemble=ensemble,
        exported=exported,
        deploy=options.deploy,
        compile=compiled,
        skip_broken=options.skip_broken,
        tta=options.tta,
        shown=shown if options.show or options.show_dir else None,
    )


def _folder(
    options: DataOptions, cfg: Config, phases: Sequence[str], checkpoints: Sequence[str] = ()
) -> FolderData | None:
    return plan_folder(
        cfg,
        options.config,
        data=options.data,
        val_share=options.val_share,
        cfg_options=options.cfg_options,
        phases=phases,
        checkpoints=checkpoints,
    )


def _check_labels(checkpoints: Sequence[str], cfg: Config, data: FolderData | None, name: str) -> Config:
    """Check that checkpoints are for as many labels an image as a run; return the config with the head for its data."""
    several = data is not None and data.facts.several_labels
    trained = for_several_labels(cfg, len(data.classes)) if data is not None and several else cfg
    head = get_at(trained, f'{model_key(trained)}.head') or {}
    where = f'{data.root} is' if data is not None and several else f'the head of {name} is'
    check_labels(checkpoints, scores_of(head)['activation'], where)
    return trained


def _work_dir(options: ConfigOptions, cfg: Config) -> str:
    """Return what the user names, by either way, or else the config, or else a folder with the config's name."""
    by_key = (options.cfg_options or {}).get('work_dir')
    named = by_key or getattr(options, 'work_dir', None) or cfg.get('work_dir')
    return named or str(Path('work_dirs') / Path(options.config.rpartition('::')[2]).stem)


def _launcher(options: RunOptions) -> str:
    return (options.cfg_options or {}).get('launcher', options.launcher)


def _loader_defaults(cfg: Config, machine: Machine) -> dict[str, dict[str, Any]]:
    defaults: dict[str, Any] = dict(
        num_workers=min(_MOST_WORKERS, machine.cores),
        # Page-locked memory speeds the copy to a GPU; without one it only warns.
        pin_memory=machine.cuda,
        persistent_workers=True,
        collate_fn=dict(type='default_collate'),
    )
    loaders = {name: cfg.get(name) for name in ('train_dataloader', 'val_dataloader', 'test_dataloader')}
    return {
        name: {key: value for key, value in defaults.items() if key not in loader}
        for name, loader in loaders.items()
        if loader
    }
