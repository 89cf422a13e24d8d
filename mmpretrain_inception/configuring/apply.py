"""The one function that writes a plan into a config."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

from mmengine._strategy import FSDPStrategy
from mmengine.config import Config, ConfigDict
from mmengine.hooks import EMAHook

from mmpretrain_inception.configuring.config_file import get_at, overlap, set_at
from mmpretrain_inception.configuring.datasets import innermost_datasets
from mmpretrain_inception.configuring.ensemble import model_key
from mmpretrain_inception.configuring.machine import BF16, FP32
from mmpretrain_inception.configuring.plan import Plan, RunPlan, TestPlan, TrainPlan
from mmpretrain_inception.configuring.several_labels import settings_for_several_labels
from mmpretrain_inception.errors import UsageError
from mmpretrain_inception.registry import HOOKS, STRATEGIES, is_kind, resolve
from mmpretrain_inception.workarounds import passes_a_gpu_to_ddp

# Settings of datasets that say which images they read, beside their classes.
_OF_PLACES, _OF_SPLITS = ('data_root', 'data_prefix', 'ann_file'), ('split', 'val_share')
_LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


class Setting(NamedTuple):
    """A value that a plan sets in the config.

    Attributes:
        key: Dotted name of the setting.
        value: The value.
        option: The user's option that requires it. Empty: a default.
        needed: Whether the plan makes no sense without it. Then a different value from the user is an error.
    """

    key: str
    value: Any
    option: str = ''
    needed: bool = False


def apply(plan: Plan, cfg: Config, cfg_options: Mapping[str, Any] | None = None) -> tuple[Config, tuple[str, ...]]:
    """Write a plan into a copy of a config.

    What the user set with ``--cfg-options`` is never overwritten: it wins, or it is an error if the plan makes no sense
    with it.

    Args:
        plan: The plan, made for this config.
        cfg: The config, with ``cfg_options`` applied. It is not changed.
        cfg_options: What the user set.

    Returns:
        The config for the Runner, and notes for the user, one line each.

    Raises:
        UsageError: If a setting of the user contradicts what the plan needs.
    """
    cfg, notes = deepcopy(cfg), list(plan.notes)
    chosen = dict(cfg_options or {})
    for setting in _settings(plan, cfg):
        touching = [key for key in chosen if overlap(key, setting.key)]
        if not touching:
            set_at(cfg, setting.key, setting.value)
        elif get_at(cfg, setting.key) != setting.value:
            notes += _note(setting, touching, chosen)
    if isinstance(plan, TestPlan):
        _use_weights(cfg, plan)
        _use_hooks(cfg, plan)
        if plan.tta:
            _use_tta(cfg, chosen)
    for name in _LOADERS:
        if get_at(cfg, f'{name}.num_workers') == 0:
            cfg[name].persistent_workers = False
    return cfg, tuple(notes)


def _note(setting: Setting, touching: Iterable[str], chosen: Mapping[str, Any]) -> list[str]:
    named = ' '.join(f'{key}={chosen[key]}' for key in touching)
    if setting.needed:
        raise UsageError(
            f'--cfg-options {named}: {setting.option} needs {setting.key}={setting.value}; leave one of them out'
        )
    return [f'{named} (--cfg-options) is used instead of {setting.option}'] if setting.option else []


def _settings(plan: Plan, cfg: Config) -> Iterator[Setting]:
    """Yield all settings of the plan, except the model and the hooks of a test."""
    if plan.data is not None:
        yield from _data_settings(plan, cfg)
    if isinstance(plan, RunPlan):
        yield from _run_settings(plan, cfg)
    if isinstance(plan, TrainPlan):
        yield from _training_settings(plan, cfg)
    if isinstance(plan, TestPlan):
        yield from _test_settings(plan, cfg)


def _data_settings(plan: Plan, cfg: Config) -> Iterator[Setting]:
    data = plan.data
    assert data is not None
    # An absolute path, so that the dumped config runs from any folder.
    cfg.image_folder = data.root
    for dataset, settings in data.datasets.items():
        _drop_other_data(get_at(cfg, dataset), settings)
        for key, value in settings.items():
            option = {'val_share': '--val-share', 'data_prefix': f'{value} of --data'}.get(key, '--data')
            # Two datasets of different shares would overlap.
            yield Setting(f'{dataset}.{key}', value, option, needed=key == 'val_share')
        yield Setting(f'{dataset}.classes', list(data.classes))
    if data.facts.several_labels:
        for key, value in settings_for_several_labels(cfg, len(data.classes)):
            yield Setting(key, value, '--data with several labels an image', needed=key == 'model.head')
    for key in _class_counts(cfg):
        yield Setting(key, len(data.classes), f'--data with {len(data.classes)} classes', needed=True)


def _drop_other_data(dataset: dict[str, Any], settings: Mapping[str, Any]) -> None:
    """Remove what an earlier run on data of another kind wrote."""
    stale = [*_OF_SPLITS, *(_OF_PLACES if 'type' in settings else ())]
    for key in stale:
        if key not in settings:
            dataset.pop(key, None)


def _class_counts(cfg: Config) -> Iterator[str]:
    """Yield the dotted names of all numbers of classes in the model, its wrappers and its members."""
    if 'num_classes' in (cfg.get('data_preprocessor') or {}):
        yield 'data_preprocessor.num_classes'
    yield from _counts_in(cfg, 'model')


def _counts_in(cfg: Config, model: str) -> Iterator[str]:
    # mmpretrain's own Inception V3 has its classifier in the backbone.
    for part in ('backbone', 'head', 'data_preprocessor'):
        if 'num_classes' in (get_at(cfg, f'{model}.{part}') or {}):
            yield f'{model}.{part}.num_classes'
    if get_at(cfg, f'{model}.module') is not None:
        yield from _counts_in(cfg, f'{model}.module')
    for position in range(len(get_at(cfg, f'{model}.members') or ())):
        yield from _counts_in(cfg, f'{model}.members.{position}.model')


def _run_settings(plan: RunPlan, cfg: Config) -> Iterator[Setting]:
    yield Setting('work_dir', plan.work_dir, '--work-dir')
    yield Setting('launcher', plan.launcher, '--launcher')
    if plan.ddp_on_cpu and passes_a_gpu_to_ddp():
        # Runner would pass a GPU's number to DDP. This can be removed when mmengine runs DDP on a CPU.
        wrapper = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
        yield Setting('model_wrapper_cfg', wrapper)
    for loader, defaults in plan.loaders.items():
        for key, value in defaults.items():
            yield Setting(f'{loader}.{key}', value)
        if not plan.pin_memory:
            yield Setting(f'{loader}.pin_memory', False, '--no-pin-memory')


def _training_settings(plan: TrainPlan, cfg: Config) -> Iterator[Setting]:
    if not plan.persistent_workers:
        for loader in plan.loaders:
            yield Setting(f'{loader}.persistent_workers', False, '--no-persistent-workers')
    if plan.precision == BF16:
        yield Setting('optim_wrapper.type', 'mmpretrain_inception.BF16OptimWrapper', '--amp', needed=True)
    elif plan.precision != FP32:
        yield Setting('optim_wrapper.type', 'AmpOptimWrapper', '--amp', needed=True)
        if 'loss_scale' not in cfg.optim_wrapper:
            yield Setting('optim_wrapper.loss_scale', 'dynamic')
        if is_kind(cfg.get('strategy'), FSDPStrategy, STRATEGIES):
            # Each process sees its share of the gradients: only this scaler skips a step in all of them or in none.
            yield Setting('optim_wrapper.use_fsdp', True, '--amp', needed=True)
    if not plan.validate:
        for part in ('val_cfg', 'val_dataloader', 'val_evaluator'):
            yield Setting(part, None, '--no-validate', needed=True)
    if plan.auto_scale_lr:
        yield Setting('auto_scale_lr.enable', True, '--auto-scale-lr', needed=True)
    for key, value in plan.start.items():
        yield Setting(key, value, '--weights')
    if plan.drop_rule:
        yield Setting('default_hooks.checkpoint.rule', None)
    if plan.resume is not None:
        yield Setting('resume', True, '--resume', needed=True)
        # mmengine resumes from load_from; the weights that training started from are no longer needed.
        cfg.load_from = None if plan.resume == 'auto' else _absolute(plan.resume)


def _test_settings(plan: TestPlan, cfg: Config) -> Iterator[Setting]:
    if plan.precision != FP32:
        yield Setting('test_cfg.fp16', True, '--amp', needed=True)
    if plan.precision == BF16 and 'type' not in cfg.test_cfg:
        yield Setting('test_cfg.type', 'mmpretrain_inception.BF16TestLoop')
    for key, value in {'enable': True, **plan.shown}.items() if plan.shown else ():
        yield Setting(f'default_hooks.visualization.{key}', value)
    # Ensembles and exported files load themselves.
    loads_itself = plan.ensemble or plan.exported
    file = None if loads_itself else _absolute(plan.members[0].checkpoint)
    yield Setting('load_from', file, 'the checkpoint', needed=True)
    # The dumped config of a run that was resumed says so.
    yield Setting('resume', False, 'testing', needed=True)


def _use_weights(cfg: Config, plan: TestPlan) -> None:
    """Replace the model by an ensemble or an exported file, inside test-time augmentation."""
    # Every process tests with a complete model, and reads complete checkpoints.
    if cfg.pop('strategy', None) is not None:
        cfg.pop('runner_type', None)
    key = model_key(cfg)
    files = [_absolute(member.checkpoint) for member in plan.members]
    if plan.exported:
        settings = get_at(cfg, f'{key}.data_preprocessor') or cfg.get('data_preprocessor')
        kind = 'mmpretrain_inception.ExportedClassifier'
        model = dict(type=kind, path=files[0], data_preprocessor=settings)
    elif plan.ensemble:
        pairs = zip(plan.members, files)
        members = [dict(model=deepcopy(member.model), checkpoint=file) for member, file in pairs]
        model = dict(type='mmpretrain_inception.EnsembleClassifier', members=members)
    else:
        return
    parent, _, last = key.rpartition('.')
    place = get_at(cfg, parent) if parent else cfg
    place[last] = ConfigDict(model)
    if plan.data is not None:
        for count in _class_counts(cfg):
            set_at(cfg, count, len(plan.data.classes))


def _use_hooks(cfg: Config, plan: TestPlan) -> None:
    hooks = list(cfg.get('custom_hooks') or ())
    if plan.exported:
        # The file already has the averaged weights, and the hook would copy the runtime.
        hooks = [hook for hook in hooks if not is_kind(hook, EMAHook, HOOKS)]
    added = []
    if plan.deploy:
        added.append(dict(type='mmpretrain_inception.DeployHook'))
    if plan.compile is not None:
        added.append(dict(type='mmpretrain_inception.CompileHook', **plan.compile))
    if plan.skip_broken:
        added.append(dict(type='mmpretrain_inception.SkipBrokenHook'))
    there = {resolve(hook.get('type'), HOOKS) for hook in hooks if isinstance(hook, dict)}
    # The dumped config of such a test has them already.
    cfg.custom_hooks = [*hooks, *(hook for hook in added if resolve(hook['type'], HOOKS) not in there)]


def _use_tta(cfg: Config, chosen: Mapping[str, Any]) -> None:
    """Wrap the model for test-time augmentation: the config's own, or the average over an image and its mirror."""
    if model_key(cfg) != 'model':
        # The dumped config of such a test.
        return
    datasets = innermost_datasets(cfg, 'test')
    if 'tta_pipeline' in cfg:
        for key in chosen:
            if any(overlap(key, f'{dataset}.pipeline') for dataset in datasets):
                raise UsageError(f'--cfg-options {key}: --tta uses tta_pipeline of the config; change it there')
    else:
        *steps, pack = deepcopy(get_at(cfg, f'{datasets[0]}.pipeline'))
        mirrored = [dict(type='RandomFlip', prob=probability) for probability in (1.0, 0.0)]
        cfg.tta_pipeline = [*steps, dict(type='TestTimeAug', transforms=[mirrored, [pack]])]
    wrapper = cfg.get('tta_model') or dict(type='mmpretrain.AverageClsScoreTTA')
    cfg.model = ConfigDict(**wrapper, module=cfg.model)
    for dataset in datasets:
        set_at(cfg, f'{dataset}.pipeline', deepcopy(cfg.tta_pipeline))
    # Views and uncropped images differ in size; mmengine's test-time augmentation expects lists.
    cfg.test_dataloader.collate_fn = dict(type='pseudo_collate')


def _absolute(file: str) -> str:
    """Return an absolute path if the file exists, so that the dumped config runs from any folder."""
    path = os.path.expanduser(file)
    return os.path.abspath(path) if os.path.exists(path) else file
