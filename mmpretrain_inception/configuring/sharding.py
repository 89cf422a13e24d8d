"""What a config of sharded training may ask for."""

from __future__ import annotations

from mmengine.config import Config

from mmpretrain_inception.configuring.config_file import averages_parameters
from mmpretrain_inception.errors import UsageError


def check_sharding(cfg: Config, name: str) -> None:
    """Refuse what would fail or compute something else where each process holds a share of the parameters.

    Args:
        cfg: A config of training, complete. One without ``strategy=dict(type='...FSDPStrategy')`` passes.
        name: The config file, for messages.

    Raises:
        UsageError: If the config asks for one of these, with what to do instead.
    """
    if not str(cfg.get('strategy', {}).get('type', '')).endswith('FSDPStrategy'):
        return
    if cfg.launcher == 'none':
        raise UsageError(
            f'{name}: this config shards the model over processes; start them by tools/dist_train.sh, or train in one '
            'process with the config it inherits from'
        )
    if any(map(averages_parameters, cfg.get('custom_hooks') or ())):
        # mmengine's hook makes a copy of the model, after FlexibleRunner has resumed and of the process's share only.
        raise UsageError(
            f'{name}: an average of the parameters (EMAHook in custom_hooks) cannot be kept in sharded training; '
            'leave it out, or train without FSDPStrategy'
        )
    clipping = cfg.optim_wrapper.get('clip_grad')
    if clipping and clipping.get('type', 'norm') == 'norm':
        raise UsageError(
            f'{name}: optim_wrapper.clip_grad would clip by the norm of the share that a process holds; clip by value, '
            "clip_grad=dict(type='value', clip_value=...), or train without FSDPStrategy"
        )


def drop_sharding(cfg: Config) -> None:
    """Test with a whole model in every process, which reads whole checkpoints.

    Args:
        cfg: A config for testing; one that shards is changed.
    """
    if cfg.pop('strategy', None) is not None:
        cfg.pop('runner_type', None)
