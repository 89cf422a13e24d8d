"""No silent mismatch between a checkpoint and the model."""

from __future__ import annotations

from typing import Any, cast

from mmengine.hooks import Hook
from mmengine.model import BaseTTAModel
from mmengine.runner import BaseLoop, Runner

from mmpretrain_inception.engine.sharding import whole_state_dict
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models import EnsembleClassifier, InceptionHead, InceptionV3
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.modules import unwrap
from mmpretrain_inception.weights import fit_to_model, to_ours
from mmpretrain_inception.weights.fit import check_network


@HOOKS.register_module()
class FitWeightsHook(Hook):
    """Rename a checkpoint's parameters to ours, and stop where they do not fill the model.

    mmengine loads what it can and goes on. Here a checkpoint of any publisher is fitted to a model with our backbone:
    everything in it has to be filled, but for an auxiliary classifier that the file does not have and, when training
    starts from it, final layers of other classes.

    Raises:
        ValueError: With the first few names, if the checkpoint does not fill the model.
    """

    # Before EMAHook, which takes the state dict as it finds it.
    priority = 'HIGH'

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Replace ``checkpoint['state_dict']`` by one that fits the model."""
        model = unwrap(runner.model)
        if isinstance(model, EnsembleClassifier):
            raise InputError(
                f'{runner._load_from}: an ensemble takes a file for each of its members, but load_from names one'
            )
        if not isinstance(getattr(model, 'backbone', None), InceptionV3):
            return
        resuming = runner._resume
        starting = isinstance(runner._train_loop, BaseLoop) and not resuming
        if starting and not isinstance(model.head, InceptionHead):
            # Another head starts anew; the backbone itself sees to its part when mmengine loads it.
            return
        # mmengine takes a file without this key for a bare state dict.
        state_dict = checkpoint['state_dict'] if 'state_dict' in checkpoint else dict(checkpoint)
        origin = str(runner._load_from or 'the checkpoint')
        if resuming and 'optimizer' not in checkpoint:
            raise InputError(
                f'{origin}: a checkpoint of a training run was expected, but it holds weights only; '
                'start from them with --cfg-options load_from=FILE instead of --resume'
            )
        weights = to_ours(state_dict, meta=checkpoint.get('meta'), origin=origin)
        check_network(weights, model)
        own = whole_state_dict(runner.model)
        fit = fit_to_model(weights, own, new_classes=starting)
        for note in fit.notes:
            runner.logger.info(note)
        if isinstance(runner.model, BaseTTAModel) or cast('InceptionV3', model.backbone).deploy:
            # mmpretrain's EMAHook would fill nothing of a wrapped model from it, and its reparameterize_model.py leaves
            # it in the form of training; `state_dict` holds the average anyway.
            checkpoint.pop('ema_state_dict', None)
        checkpoint['state_dict'] = {**fit.tensors, **{name: own[name] for name in fit.kept}}
