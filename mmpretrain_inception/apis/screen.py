"""The lines that a user sees before and after a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import IterBasedTrainLoop, Runner

from mmpretrain_inception.apis.commands import command, nearest
from mmpretrain_inception.configuring.image_size import image_size
from mmpretrain_inception.configuring.plan import RunPlan, TestPlan
from mmpretrain_inception.datasets.image_kinds import count_kinds
from mmpretrain_inception.engine.hooks.contract_hook import ContractHook
from mmpretrain_inception.utils.wording import counted, list_some, printable
from mmpretrain_inception.weights.metafile import described

# Width of the first column.
_NAME = 9
# Characters of a line that lists names of classes.
_WIDTH = 100


def training_screen(runner: Runner, plan: RunPlan) -> list[str]:
    """Return what is about to be trained: data, weights, recipe, steps, and where the results go."""
    val = runner.val_dataloader if runner.val_loop is not None else None
    return _columns(
        ('data', _training_data(runner.train_dataloader, val)),
        *_origin(plan),
        ('weights', _weights(runner)),
        ('recipe', ', '.join(_recipe(runner, plan))),
        ('steps', _steps(runner)),
        ('results', f'{nearest(runner.work_dir)}, the log in {runner.timestamp}/'),
    )


def test_screen(runner: Runner, plan: TestPlan) -> list[str]:
    """Return what is about to be tested: data, weights, and how they are computed."""
    dataset = runner.test_dataloader.dataset
    files = [described(nearest(member.checkpoint)) for member in plan.members]
    how = [_size(runner, 'test'), plan.precision, _device(runner)]
    return _columns(
        ('data', f'{counted(len(dataset), "image")} to test on{_classes(dataset)}'),
        *_origin(plan),
        ('weights', list_some(files)),
        ('compute', ', '.join(part for part in how if part)),
        ('log', nearest(str(Path(runner.log_dir, f'{runner.timestamp}.log')))),
    )


def training_result(runner: Runner) -> list[str]:
    """Return what came out of a training run: the best figures, where the model is, and the command to type next."""
    info = runner.message_hub.runtime_info
    watched = [
        key
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook)
        for key in getattr(hook, 'key_indicators', None) or ()
    ]
    names = {'best_score': watched[0]} if len(watched) == 1 else {f'best_score_{name}': name for name in watched}
    scores = [f'{name} {info[key]:.4g}' for key, name in names.items() if key in info]
    files = [str(info[key]) for key in info if key.startswith('best_ckpt')] or [str(info.get('last_ckpt', ''))]
    models = [file for file in files if os.path.exists(file)]
    lines = [('best', ', '.join(scores))] if scores else []
    if getattr(runner.train_loop, 'stop_training', False) and runner.iter < runner.max_iters:
        lines.insert(0, ('stopped', f'early, after {runner.iter:,} of {runner.max_iters:,} steps'))
    if models:
        lines += [('model', nearest(models[0])), ('next', command('test', models[0])), *_prediction(runner, models[0])]
    return _columns(*lines)


def _prediction(runner: Runner, model: str) -> Iterator[tuple[str, str]]:
    """Yield the command that asks the model about an image, if it can be used without its config."""
    loader = runner.val_dataloader if runner.val_loop is not None else runner.train_dataloader
    read = getattr(loader.dataset, 'get_data_info', None)
    image = read(0).get('img_path') if read else None
    if image and any(isinstance(hook, ContractHook) and hook.describes for hook in runner.hooks):
        holder = runner.work_dir if Path(model).parent == Path(runner.work_dir) else model
        yield 'or', command('predict', holder, image)


def table_of(metrics: Mapping[str, Any]) -> list[str]:
    """Return the metrics one a line, by mmengine's names; others than numbers are in the log file."""
    numbers = {name: value for name, value in metrics.items() if isinstance(value, (int, float))}
    width = max(map(len, numbers), default=0)
    shown = {name: f'{value:,}' if isinstance(value, int) else f'{value:.4f}' for name, value in numbers.items()}
    return [f'{name:<{width}}  {text:>9}' for name, text in shown.items()]


def _columns(*lines: tuple[str, str]) -> list[str]:
    return [f'{name:<{_NAME}}{printable(text)}' for name, text in lines if text]


def _training_data(train: Any, val: Any) -> str:
    sets = f'{counted(len(train.dataset), "image")} to train on'
    sets += f', {len(val.dataset):,} to validate on' if val is not None else ', no validation'
    return sets + _classes(train.dataset)


def _origin(plan: RunPlan) -> Iterator[tuple[str, str]]:
    """Yield where the user's own images are, and how many files there are none."""
    if plan.data is not None:
        facts = plan.data.facts
        yield '', f'from {nearest(facts.root)}: {facts.split}' + ', several labels an image' * facts.several_labels
        if facts.unused:
            yield '', f'not used: {count_kinds(facts.unused)}'


def _classes(dataset: Any) -> str:
    names = (getattr(dataset, 'metainfo', None) or {}).get('classes') or ()
    shown = next((list_some(names, most) for most in (10, 5, 3) if len(list_some(names, most)) < _WIDTH / 2), '')
    return f', {counted(len(names), "class")}' + (f': {shown}' if shown else '') if names else ''


def _weights(runner: Runner) -> str:
    file = runner._load_from
    if runner._resume:
        return f'{nearest(str(file))}, which this run continues'
    if file:
        return described(nearest(str(file)))
    declared = next(_declared(runner.cfg.get('model')), None)
    return nearest(declared) if declared else 'none: training from scratch'


def _declared(settings: Any) -> Iterator[str]:
    """Yield the files that parts of the model start from."""
    if isinstance(settings, dict):
        init = settings.get('init_cfg')
        if isinstance(init, dict) and init.get('checkpoint'):
            yield str(init['checkpoint'])
    for part in settings.values() if isinstance(settings, dict) else settings or ():
        if isinstance(part, (dict, list, tuple)):
            yield from _declared(part)


def _recipe(runner: Runner, plan: RunPlan) -> Iterator[str]:
    loader, wrapper = runner.train_dataloader, runner.optim_wrapper
    if not isinstance(runner.train_loop, IterBasedTrainLoop):
        yield counted(runner.max_epochs, 'epoch')
    yield f'batch {_batch(loader, getattr(wrapper, "_accumulative_counts", 1))}'
    optimizer = getattr(wrapper, 'optimizer', None)
    if optimizer is not None:
        rates = [group.get('initial_lr', group['lr']) for group in optimizer.param_groups]
        yield f'{type(optimizer).__name__}, learning rate {float(max(rates)):.4g}'
    yield from filter(None, [_size(runner, 'train')])
    mixed = plan.precision == 'fp32' and isinstance(wrapper, AmpOptimWrapper)
    yield 'mixed precision' if mixed else plan.precision
    yield _device(runner)


def _batch(loader: Any, accumulated: int) -> str:
    parts = [loader.batch_size or getattr(loader.batch_sampler, 'batch_size', None), get_world_size(), accumulated]
    names = ('', ' processes', ' accumulated')
    return ' x '.join(f'{part}{name}' for part, name in zip(parts, names) if part not in (None, 1) or not name)


def _size(runner: Runner, phase: str) -> str:
    size = image_size(runner.cfg, phase)
    return f'{size.height} x {size.width} px' if size else ''


def _device(runner: Runner) -> str:
    device = next(runner.model.parameters(), torch.empty(0)).device
    if device.type == 'cuda':
        count = get_world_size()
        return (f'{count} x ' if count > 1 else '') + torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f'{device.type.upper()} with {counted(threads, "thread")}'


def _steps(runner: Runner) -> str:
    each, done = len(runner.train_dataloader), runner.iter
    total = f'{runner.max_iters:,} in all'
    if not isinstance(runner.train_loop, IterBasedTrainLoop):
        total = f'{each:,} an epoch, {total}'
    return f'{total}, {done:,} of them done' if done else total
