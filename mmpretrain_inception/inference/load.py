"""From a work directory, a file or a name to a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.logging import print_log

from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.deploy.contract import KEY, Contract
from mmpretrain_inception.deploy.exported_classifier import ExportedClassifier
from mmpretrain_inception.deploy.from_checkpoint import contract_in, derived_contract
from mmpretrain_inception.deploy.parts import build_network
from mmpretrain_inception.deploy.table import is_exported
from mmpretrain_inception.engine.runner.checkpoint_files import list_checkpoints
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference.model import Model
from mmpretrain_inception.registry import MODELS
from mmpretrain_inception.utils.wording import list_some
from mmpretrain_inception.weights import Opened, class_names, load, load_into, metafile, open_weights
from mmpretrain_inception.weights.metafile import address_of, is_published, name_of
from mmpretrain_inception.weights.published import PublishedWeights, find, nearest, published_names

_EXPECTED = 'a work directory, a checkpoint, an exported file or the name of a published model'


def load_model(source: str | Path, device: str | torch.device | None = None) -> Model:
    """Load a model that needs no config. Nothing in the files is executed.

    Args:
        source: The work directory of a training run, of which the best checkpoint is used or else the last; a
            checkpoint; a file that ``tools/export.py`` wrote; or the name of a published model or of published weights,
            such as ``torchvision``, which comes before a file of that name (``./torchvision``).
        device: Where to compute. Defaults to the GPU if there is one. Exported files compute on the CPU.

    Returns:
        The model, with ``predict``, ``features`` and ``classes``.

    Raises:
        InputError: If there is no such thing, a file is damaged, or a checkpoint does not say how it is used.
    """
    if is_published(str(source)):
        return _published(name_of(address_of(str(source))), device)
    path = Path(source).expanduser()
    if path.is_dir():
        path = best_checkpoint(path)
    elif not path.exists() and '://' not in str(source):
        return _published(str(source), device)
    if is_exported(str(path)):
        return _exported(path, device)
    place = str(source) if '://' in str(source) else str(path)
    opened = open_weights(place)
    return _assembled(opened, contract_of(opened), place, device)


def best_checkpoint(work_dir: Path) -> Path:
    """Return the best checkpoint of a training run, or else the last.

    Raises:
        InputError: If there is none.
    """
    best = sorted(work_dir.glob('best_*.pth'), key=lambda path: path.stat().st_mtime_ns)
    if len(best) > 1:
        print_log(f'{work_dir}: {list_some([path.name for path in best])}; using {best[-1].name}', logger='current')
    found = [*best[-1:], *list_checkpoints(work_dir)]
    if not found:
        raise InputError(
            f'{work_dir}: expected {_EXPECTED}, got a folder without checkpoints (best_*.pth, epoch_*.pth)'
        )
    return found[0]


def contract_of(opened: Opened) -> Contract:
    """Return what a checkpoint says of its use.

    Raises:
        InputError: If it says nothing, or what it says is damaged.
    """
    contract, reason = contract_in(opened)
    if contract is not None:
        if KEY not in opened.meta:
            print_log(f'{opened.origin}: classes and preprocessing are from the config in it', logger='current')
        return contract
    raise InputError(
        f'{opened.origin}: expected a checkpoint that says how it is used, got weights only'
        f'{f" (no rule for {reason})" if reason else ""};\n'
        'use tools/test.py with a config, or train or convert it with this version'
    )


def published_contract(weights: PublishedWeights) -> Contract:
    """Return how published weights are used: by our config with the publisher's preprocessing."""
    contract, reason = derived_contract(load_config(str(weights.config)), weights.classes)
    if contract is None:
        raise InputError(f'{weights.name}: no rule for {reason}; use tools/test.py with its config')
    return contract


def _published(name: str, device: Any) -> Model:
    """Return a model by the name of its weights, or of its config in mmpretrain's index."""
    configs = {Path(model['Config']).stem: key for key, model in metafile.published().items()}
    name = configs.get(name, name)
    if name not in published_names():
        near = nearest(name)
        hint = f'; did you mean {near}?' if near else ''
        raise InputError(
            f'{name}: expected {_EXPECTED}, but there is no such file{hint}\n'
            f'published models: {", ".join(published_names())}'
        )
    weights = find(name)
    return _assembled(open_weights(weights.address), published_contract(weights), name, device)


def _exported(path: Path, device: Any) -> Model:
    if device is not None and torch.device(device).type != 'cpu':
        raise InputError(f'{path}: an exported file computes on the CPU, got device {device}')
    network = ExportedClassifier(str(path))
    contract = network.network.contract
    if not contract.with_preprocess:
        network = ExportedClassifier(str(path), preprocessor_of(contract))
    return Model(network.eval(), contract, str(path))


def _assembled(opened: Opened, contract: Contract, origin: str, device: Any) -> Model:
    assert contract.network is not None
    settings = preprocessor_of(contract)
    # Compared before it takes memory: the numbers in a file may be of any size.
    with torch.device('meta'):
        network = build_network(contract.network, settings)
    loaded = load(opened, network.state_dict())
    network.to_empty(device='cpu')
    # What is not in state dicts: mean and deviation.
    network.data_preprocessor = MODELS.build(settings)
    load_into(network, opened)
    for name, tensor in network.state_dict().items():
        # An auxiliary classifier, which predictions do not use.
        if name in loaded.left_at_init:
            tensor.zero_()
    contract = replace(contract, classes=contract.classes or class_names(opened.meta) or None)
    return Model(network.to(device or get_device()).eval(), contract, origin)


def preprocessor_of(contract: Contract) -> dict[str, Any]:
    """Return the config of the data preprocessor that a contract describes."""
    return dict(
        type='ClsDataPreprocessor',
        mean=list(contract.mean),
        std=list(contract.std),
        to_rgb=contract.channel_order == 'RGB',
    )
