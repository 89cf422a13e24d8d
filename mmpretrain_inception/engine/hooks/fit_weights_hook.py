"""Check that a checkpoint matches the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, Runner
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel as FSDP  # noqa: N817 - its usual name

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models import EnsembleClassifier
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.modules import unwrap
from mmpretrain_inception.weights import Loaded, Opened, load, networks_in

_EMA_PREFIX = 'module.'


@HOOKS.register_module()
class FitWeightsHook(Hook):
    """Rename a checkpoint's parameters to the model's, and stop if they do not fill the model.

    mmengine loads what fits and ignores the rest. With this hook, a checkpoint of any publisher has to fill every model
    that contains our backbone, whether a classifier, a detector or another one. Only an auxiliary classifier may be
    missing. If training starts from the file, so may layers that depend on the classes or are outside the backbone.

    Raises:
        InputError: If the checkpoint does not fill the model or is for other classes. The message has the first names.
    """

    # Before EMAHook, which uses the state dict as it is.
    priority = 'HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replace ``checkpoint['state_dict']`` by a state dict that fills the model."""
        model, origin = unwrap(runner.model), str(runner._load_from or 'the checkpoint')
        if isinstance(model, EnsembleClassifier):
            raise InputError(f'load_from: expected one file for each member of the ensemble, got {origin}')
        if not networks_in(model):
            return
        if runner._resume and 'optimizer' not in checkpoint:
            raise InputError(
                f'{origin}: expected the checkpoint of a training run, got only weights; '
                'start from them with --cfg-options load_from=FILE instead of --resume'
            )
        # A sharded model gives its whole state only through its wrapper.
        target = runner.model if isinstance(runner.model, FSDP) else model
        starting = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        opened = Opened({}, checkpoint.get('meta') or {}, checkpoint, origin)
        loaded = load(opened, target, new_classes=starting, classes=_classes_of(runner))
        for note in loaded.notes:
            runner.logger.info(note)
        average = checkpoint.pop('ema_state_dict', None)
        # A start uses the average, which is in `state_dict`. mmpretrain's EMAHook would not fill a model wrapped for
        # test-time augmentation, and its reparameterize_model.py leaves `ema_state_dict` in training form.
        if average and not starting and not isinstance(runner.model, BaseTTAModel) and not _is_deployed(model):
            checkpoint['ema_state_dict'] = _fitted_average(average, origin, target)
        checkpoint['state_dict'] = _filled(loaded, target)


def _fitted_average(average: dict[str, Any], origin: str, target: nn.Module) -> dict[str, Any]:
    """Fit the second state dict of EMAHook: the parameters with a prefix, and a counter."""
    tensors = {name[len(_EMA_PREFIX) :]: value for name, value in average.items() if name.startswith(_EMA_PREFIX)}
    fitted = _filled(load(Opened({}, {}, dict(state_dict=tensors), f'{origin}: ema_state_dict'), target), target)
    others = {name: value for name, value in average.items() if not name.startswith(_EMA_PREFIX)}
    return {**others, **{f'{_EMA_PREFIX}{name}': value for name, value in fitted.items()}}


def _filled(loaded: Loaded, target: nn.Module) -> dict[str, Tensor]:
    """Return the complete state dict, as EMAHook expects it; what is not in the file comes from the model."""
    if not loaded.left_at_init:
        return loaded.state_dict
    return {**target.state_dict(), **loaded.state_dict}


def _is_deployed(model: nn.Module) -> bool:
    return any(network.deploy for network in networks_in(model))


def _classes_of(runner: Runner) -> Sequence[str] | None:
    """Return the names of the classes in the data of the run."""
    for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
        if isinstance(loop, BaseLoop):
            metainfo = getattr(loop.dataloader.dataset, 'metainfo', None) or {}
            classes = metainfo.get('classes')
            return tuple(classes) if isinstance(classes, (list, tuple)) else None
    return None
