"""Testing in the form that is fastest on this machine."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from mmengine.config import Config

from mmpretrain_inception.apis.export import export
from mmpretrain_inception.configuring.checks import check_output_file
from mmpretrain_inception.configuring.config_file import get_at
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.fast import check_fast, choose_way
from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.configuring.options import ExportOptions, TestOptions
from mmpretrain_inception.deploy.table import BACKENDS
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import MODELS, resolve
from mmpretrain_inception.version import __version__
from mmpretrain_inception.weights.files.opener import class_names, open_weights


def quicken(options: TestOptions) -> tuple[TestOptions, str]:
    """Replace ``fast`` by what it stands for on this machine.

    An exported file is kept next to downloaded weights and used again for the same weights and config.

    Args:
        options: The options, with one checkpoint.

    Returns:
        The options of the fastest way, and a line that says which it is.

    Raises:
        UsageError: If ``--fast`` does not go together with other options.
        InputError: If the checkpoint or the config cannot be used.
    """
    check_fast(options)
    machine = Machine.here()
    way = choose_way(machine)
    wanted = ExportOptions(
        options.config,
        options.cfg_options,
        options.data,
        checkpoint=options.checkpoints[0],
        to=way.runtime or 'torch',
        out='',
        precision=way.precision,
        image_size=options.image_size,
    )
    cfg = configure(wanted).cfg
    folds = hasattr(resolve(get_at(cfg, 'model.backbone.type'), MODELS), 'switch_to_deploy')
    in_torch = replace(options, fast=False, deploy=folds, amp=way.precision != 'fp32')
    if way.runtime is None:
        return in_torch, f'--fast: {way.name}'
    try:
        path = _exported(cfg, wanted)
    except InputError as error:
        return in_torch, f'--fast: PyTorch, since the export to {way.runtime} failed: {error}'
    return replace(options, fast=False, checkpoints=(str(path),)), f'--fast: {way.name} ({path})'


def _exported(cfg: Config, options: ExportOptions) -> Path:
    """Return the file, and write it first if it is not there."""
    name = _digest(cfg, options) + BACKENDS[options.to].suffix
    path = Path(torch.hub.get_dir(), 'mmpretrain_inception', name)
    if not path.exists():
        check_output_file(str(path), '--fast')
        path.parent.mkdir(parents=True, exist_ok=True)
        print(export(replace(options, out=str(path))), flush=True)
    return path


def _digest(cfg: Config, options: ExportOptions) -> str:
    """Return a name that only the same weights, network, images, runtime and versions have."""
    digest = hashlib.sha256()
    opened = open_weights(options.checkpoint)
    names = class_names(opened.meta)
    network = cfg.model, cfg.get('data_preprocessor'), cfg.test_dataloader.dataset
    for part in (__version__, torch.__version__, options.to, options.precision, network, names):
        digest.update(f'{part}\n'.encode())
    for name, tensor in opened.tensors.items():
        digest.update(name.encode())
        digest.update(tensor.contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
