"""Whether a checkpoint is one that this run can resume from."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.message_hub import BATCHES_PER_EPOCH
from mmpretrain_inception.utils.wording import list_some

# How an optimizer computes, which does not change what it computes, and what has no values to compare.
_NOT_COMPARED = ('params', 'param_names', 'foreach', 'fused', 'capturable', 'differentiable')
# What newer versions of torch added to the settings of an optimizer.
_ADDED_LATER = ('maximize', 'decoupled_weight_decay')
# Arguments of mmengine's schedulers that are no settings.
_NO_SETTINGS = ('self', 'optimizer', 'last_step', 'verbose', 'args', 'kwargs')
# Settings counted in steps, which `convert_to_iter_based` multiplies by the batches of an epoch.
_IN_STEPS = ('begin', 'end', 'T_max', 'step_size')


def check_resumable(runner: Runner, checkpoint: dict[str, Any], schedules: Any) -> tuple[Any, ...]:
    """Check that a checkpoint holds everything a run needs, under the settings of this run.

    mmengine would continue with the optimizer's and the schedules' settings of the checkpoint without a word. Here
    ``--resume`` with other settings is an error. Two settings may change: ``max_epochs``, which schedules without an
    ``end`` of their own follow, and the batches of an epoch, to which schedules with ``convert_to_iter_based`` are
    scaled. The log names what has changed so; the states in ``checkpoint`` are adapted.

    Args:
        runner: A Runner whose optimizers and schedulers are built and not loaded yet.
        checkpoint: The content of a checkpoint.
        schedules: The setting ``param_scheduler`` of the config.

    Returns:
        The schedulers that have to take a step once the checkpoint is loaded: the shorter run ended before it.

    Raises:
        InputError: With the first setting that differs, or the part that is missing.
    """
    origin = str(runner._load_from)
    _check_parts(origin, checkpoint, runner.param_schedulers is not None)
    for name, wrapper in _named(runner.optim_wrapper).items():
        _check_optimizer(origin, name, wrapper, _part_of(checkpoint['optimizer'], name, origin, 'optimizer'))
    batches_before = checkpoint['message_hub']['runtime_info'].get(BATCHES_PER_EPOCH)
    scale = len(runner.train_dataloader) / (batches_before or len(runner.train_dataloader))
    behind: list[Any] = []
    for name, schedulers in _named(runner.param_schedulers or []).items():
        saved = _part_of(checkpoint.get('param_schedulers') or [], name, origin, 'param_schedulers')
        settings = _settings(schedules, name, len(schedulers))
        for note in _check_schedulers(origin, name, schedulers, saved, settings, scale):
            runner.logger.warning(note)
        behind += [one for one, state in zip(schedulers, saved) if _put_back(state)]
    return tuple(behind)


def _check_parts(origin: str, checkpoint: dict[str, Any], has_schedules: bool) -> None:
    needed = {
        **{f'meta.{name}': (checkpoint.get('meta') or {}).get(name) for name in ('epoch', 'iter')},
        'optimizer': checkpoint.get('optimizer'),
        **{
            f'message_hub.{name}': (checkpoint.get('message_hub') or {}).get(name)
            for name in ('log_scalars', 'runtime_info', 'resumed_keys')
        },
    }
    if has_schedules:
        needed['param_schedulers'] = checkpoint.get('param_schedulers')
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise InputError(
            f'{origin}: expected a checkpoint of a training run, got one without {list_some(missing)}; '
            f'to start a new run from its weights, replace --resume by --cfg-options load_from={origin}'
        )
    if not has_schedules and checkpoint.get('param_schedulers'):
        raise _differs(origin, 'the number of schedules in param_scheduler', len(checkpoint['param_schedulers']), 0)


def _check_optimizer(origin: str, name: str, wrapper: OptimWrapper, saved: Any) -> None:
    groups = saved.get('param_groups') if isinstance(saved, dict) else None
    if not isinstance(groups, list) or not isinstance(saved.get('state'), dict):
        raise InputError(f'{origin}: expected the state of an optimizer, got a {type(saved).__name__}')
    prefix = f'optim_wrapper{name}.optimizer'
    # Not the wrapper's, which end with a group without parameters for the log, `base_lr`.
    own = wrapper.optimizer.param_groups
    if len(groups) != len(own):
        raise _differs(origin, f'the number of parameter groups in {prefix}', len(groups), len(own))
    for group, before in zip(own, groups):
        _check_kind(origin, prefix, group, before)
        for setting in group:
            value, value_before = _first_value(group, setting), _first_value(before, setting)
            if setting in before and setting not in _NOT_COMPARED and not _equal(value, value_before):
                raise _differs(origin, f'{prefix}.{setting}', value_before, value)
        if len(before['params']) != len(group['params']) and not _is_sharded(before):
            raise _differs(
                origin, f'the number of parameters in a group of {prefix}', len(before['params']), len(group['params'])
            )


def _check_kind(origin: str, prefix: str, group: dict[str, Any], before: Any) -> None:
    if not isinstance(before, dict) or not isinstance(before.get('params'), list):
        raise InputError(f'{origin}: expected the state of an optimizer, got one without parameter groups')
    own, saved = (
        {key for key in settings if not key.startswith('initial_') and key not in (*_NOT_COMPARED, *_ADDED_LATER)}
        for settings in (group, before)
    )
    if own - saved and saved - own:
        raise _differs(origin, f'{prefix}.type', *(f'one with {", ".join(sorted(keys))}' for keys in (saved, own)))


def _first_value(group: dict[str, Any], setting: str) -> Any:
    """Return a setting as the config has it: what schedules change is noted under ``initial_...`` first."""
    if setting == 'betas' and 'initial_momentum' in group:
        return None
    if setting.startswith('initial_'):
        return None
    return group.get(f'initial_{setting}', group.get(setting))


def _is_sharded(group: dict[str, Any]) -> bool:
    """Return whether FSDP wrote the group, which names parameters before they are joined and sharded."""
    return any(isinstance(parameter, str) for parameter in group['params'])


def _check_schedulers(
    origin: str, name: str, schedulers: Sequence[Any], saved: Any, settings: Sequence[dict[str, Any]], scale: float
) -> list[str]:
    """Compare the schedules of an optimizer, adapt the saved ones, and return what to say about that."""
    if not isinstance(saved, list) or len(saved) != len(schedulers):
        count = len(saved) if isinstance(saved, list) else 0
        raise _differs(origin, f'the number of schedules in param_scheduler{name}', count, len(schedulers))
    notes = []
    for index, (scheduler, before, setting) in enumerate(zip(schedulers, saved, settings)):
        prefix = f'param_scheduler{name}[{index}]'
        own = scheduler.state_dict()
        names = [key for key in _setting_names(scheduler) if key in own]
        if not isinstance(before, dict) or set(before) - set(own) or set(names) - set(before):
            raise _differs(origin, f'{prefix}.type', 'another schedule', type(scheduler).__name__)
        changed = [key for key in names if not _equal(own[key], before[key])]
        if not changed:
            continue
        if setting.get('convert_to_iter_based') and _is_scaled(own, before, scale):
            before.update(_rescaled(before, own, scale))
            notes.append(f'{prefix} is scaled to {scale:.4g} times as many batches in an epoch')
        else:
            for key in changed:
                if key in setting or not setting:
                    raise _differs(origin, f'{prefix}.{key}', before[key], own[key])
            notes.append(f'{prefix} follows the length of the run: {_describe(changed, before, own)}')
        before.update({key: own[key] for key in changed})
    return notes


def _setting_names(scheduler: Any) -> list[str]:
    """Return what a scheduler's classes take as arguments, ``begin`` and ``end`` first."""
    names = dict.fromkeys(('begin', 'end'))
    for kind in type(scheduler).__mro__:
        if '__init__' in vars(kind) and kind is not object:
            names.update(dict.fromkeys(inspect.signature(vars(kind)['__init__']).parameters))
    return [name for name in names if name not in _NO_SETTINGS]


def _is_scaled(own: dict[str, Any], before: dict[str, Any], scale: float) -> bool:
    steps = [(own[key], before[key]) for key in _IN_STEPS if key in own]
    return scale != 1 and all(new == old or math.isclose(new, old * scale, rel_tol=1e-6) for new, old in steps)


def _rescaled(before: dict[str, Any], own: dict[str, Any], scale: float) -> dict[str, int]:
    """Return the position in a schedule as steps of the new length."""
    position = round(before['_global_step'] * scale)
    return dict(_global_step=position, last_step=max(min(position, own['end'] - 1) - own['begin'], -1))


def _put_back(state: dict[str, Any]) -> bool:
    """Take back the last step of a schedule whose end was moved after it, which did not change the rate."""
    ended_before = state['begin'] <= state['_global_step'] < state['end']
    behind = ended_before and state['_global_step'] - state['begin'] == state['last_step'] + 1
    if behind:
        state['_global_step'] -= 1
    return behind


def _describe(changed: Sequence[str], before: dict[str, Any], own: dict[str, Any]) -> str:
    return ', '.join(f'{key} was {before[key]} and is now {own[key]}' for key in changed)


def _settings(schedules: Any, name: str, count: int) -> list[dict[str, Any]]:
    """Return the settings of an optimizer's schedules, {} for those that are not known."""
    if isinstance(schedules, dict) and 'type' not in schedules:
        schedules = schedules.get(name.removeprefix('.'))
    found = schedules if isinstance(schedules, (list, tuple)) else [schedules]
    known = [dict(item) if isinstance(item, dict) else {} for item in found]
    return known if len(known) == count else [{}] * count


def _named(parts: Any) -> dict[str, Any]:
    """Return optimizers or their schedules by what follows ``optim_wrapper`` in the name of a setting."""
    if isinstance(parts, (OptimWrapperDict, dict)):
        return {f'.{name}': part for name, part in parts.items()}
    return {'': parts}


def _part_of(saved: Any, name: str, origin: str, part: str) -> Any:
    """Return the state of one of several optimizers, or of the only one."""
    several = isinstance(saved, dict) and 'param_groups' not in saved
    if bool(name) != several or (name and name[1:] not in saved):
        found = list_some(sorted(map(str, saved))) if several else 'that of one optimizer'
        raise InputError(f'{origin}: expected {part}{name or " of one optimizer"}, got {found}')
    return saved[name[1:]] if name else saved


def _equal(value: Any, other: Any) -> bool:
    value, other = (part.tolist() if isinstance(part, torch.Tensor) else part for part in (value, other))
    if isinstance(value, (int, float)) and isinstance(other, (int, float)):
        return math.isclose(value, other, rel_tol=1e-9)
    if isinstance(value, Mapping) and isinstance(other, Mapping):
        return dict(value) == dict(other)
    if isinstance(value, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(value) == len(other) and all(map(_equal, value, other))
    return bool(value == other)


def _differs(origin: str, setting: str, before: Any, now: Any) -> InputError:
    return InputError(
        f'{origin}: {setting} is {before} in the checkpoint and {now} in this run; --resume needs the same settings\n'
        f'set it as it was, or start a new run from these weights: --cfg-options load_from={origin} without --resume'
    )
