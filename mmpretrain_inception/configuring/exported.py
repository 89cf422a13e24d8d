"""Testing an exported file with a config."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mmengine.config import Config

from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.from_config import classes_of_dataset, contract_from_config
from mmpretrain_inception.deploy.runtimes import read_contract
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import printable

# What an exported file must have in common with the config that it is tested with.
_COMPARED: dict[str, Callable[[Contract], Any]] = {
    'images of (height, width)': lambda contract: (contract.height, contract.width),
    'means': lambda contract: contract.mean,
    'deviations': lambda contract: contract.std,
    'channels': lambda contract: contract.channel_order,
    'classes': lambda contract: contract.num_classes,
}


def check_contract(path: str, cfg: Config, num_classes: int | None, classes: Sequence[str] | None = None) -> Contract:
    """Check that an exported file takes the images and has the classes of a config.

    Args:
        path: The exported file.
        cfg: The config that it is tested with.
        num_classes: Number of classes of the run. None: the config leaves it open.
        classes: Their names. Defaults to None: those of the config's test dataset.

    Returns:
        The file's contract.

    Raises:
        InputError: If the file cannot be read, or is of a network that takes other images or has other classes.
    """
    contract = read_contract(path)
    expected = contract_from_config(cfg, num_classes or contract.num_classes)
    for what, value in _COMPARED.items():
        if value(contract) != value(expected):
            raise InputError(
                f'{path}: expected {what} {value(expected)} as in {cfg.filename}, got {value(contract)}; '
                f'it was exported from {printable(contract.config) or "another network"}'
            )
    _check_scores(contract, expected, path)
    _check_names(contract, classes or classes_of_dataset(cfg), path)
    return contract


def _check_scores(contract: Contract, expected: Contract, path: str) -> None:
    found, wanted = ((each.activation, each.threshold, each.topk) for each in (contract, expected))
    # The activation of the user's own head is unknown; the file decides.
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
            found, expected = map(printable, pair)
            raise InputError(f'{path}: expected {expected} as class {position}, as in the data, got {found}')
