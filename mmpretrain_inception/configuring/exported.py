"""An exported file in the place of a config's model, for ``tools/test.py``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.config import Config, ConfigDict

from mmpretrain_inception.configuring.config_file import averages_parameters
from mmpretrain_inception.configuring.contract import classes_of_dataset, contract_from_config, num_classes_of
from mmpretrain_inception.deploy.backends.table import is_exported
from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.runtimes import read_contract
from mmpretrain_inception.errors import InputError, UsageError

# What an exported file has to share with the config that it is evaluated by.
_COMPARED: dict[str, Callable[[Contract], Any]] = {
    'images of (height, width)': lambda contract: (contract.height, contract.width),
    'means': lambda contract: contract.mean,
    'deviations': lambda contract: contract.std,
    'channels': lambda contract: contract.channel_order,
    'classes': lambda contract: contract.num_classes,
}


def check_options(checkpoints: Sequence[str], name: str, options: dict[str, Any]) -> None:
    """Refuse what goes together with a checkpoint but not with an exported file.

    Args:
        checkpoints: What is to be evaluated.
        name: The config file, for messages.
        options: Of the command line, those that change a model, by their names; what is set is refused.

    Raises:
        UsageError: If there is an exported file and anything beside it.
    """
    exported = [path for path in checkpoints if is_exported(path)]
    if not exported:
        return
    if len(checkpoints) > 1:
        raise UsageError(f'{name}: {exported[0]} is an exported file, and those are evaluated one at a time')
    chosen = [option for option, value in options.items() if value]
    if chosen:
        raise UsageError(
            f'{exported[0]}: {chosen[0]} changes how PyTorch runs a model, but the precision and form of an exported '
            'file are its own; leave it out'
        )


def use_exported(cfg: Config, path: str) -> None:
    """Make the config test an exported file.

    Args:
        cfg: The config, all else applied but for test-time augmentation.
        path: The file.

    Raises:
        InputError: If the file cannot be read, or is not of a network that takes the config's images and classes.
    """
    contract = read_contract(path)
    expected = contract_from_config(cfg, num_classes_of(cfg) or contract.num_classes)
    for what, value in _COMPARED.items():
        if value(contract) != value(expected):
            raise InputError(
                f'{path} has {what} {value(contract)}, but {cfg.filename} has {value(expected)}; '
                f'it was exported from {contract.config or "another network"}'
            )
    _check_scores(contract, expected, path)
    _check_names(contract, classes_of_dataset(cfg), path)
    cfg.load_from = None
    # An average of the parameters is in the file already, and the hook would copy the runtime.
    cfg.custom_hooks = [hook for hook in cfg.get('custom_hooks') or () if not averages_parameters(hook)]
    settings = cfg.model.get('data_preprocessor') or cfg.get('data_preprocessor')
    cfg.model = ConfigDict(type='mmpretrain_inception.ExportedClassifier', path=path, data_preprocessor=settings)


def _check_scores(contract: Contract, expected: Contract, path: str) -> None:
    found, wanted = ((each.activation, each.threshold, each.topk) for each in (contract, expected))
    # A head of the user's own has no activation that is known here; the file's counts.
    if expected.activation is not None and found != wanted:
        raise InputError(
            f'{path}: expected activation, threshold and topk {wanted} by the head of the config, got {found}; '
            'export it again with this config'
        )


def _check_names(contract: Contract, names: Sequence[str] | None, path: str) -> None:
    if not names or contract.classes is None or len(names) != len(contract.classes):
        return
    for position, pair in enumerate(zip(contract.classes, map(str, names))):
        if pair[0] != pair[1]:
            raise InputError(f'{path} calls class {position} {pair[0]}, but the data calls it {pair[1]}')
