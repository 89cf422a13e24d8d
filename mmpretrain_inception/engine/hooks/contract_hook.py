"""Checkpoints that can be used without their config."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmpretrain_inception.deploy.contract import KEY
from mmpretrain_inception.deploy.from_config import checkpoint_contract
from mmpretrain_inception.registry import HOOKS


@HOOKS.register_module()
class ContractHook(Hook):
    """Write into each checkpoint what is needed to predict with it: network options, classes and preprocessing.

    It is the JSON document of :class:`~mmpretrain_inception.deploy.Contract`, under ``mmpretrain_inception`` in the
    checkpoint's ``meta``, which ``mmpretrain_inception.load_model`` reads. Where the config has a part that no rule
    describes, the checkpoints do not have it, and the log says why.
    """

    def __init__(self) -> None:
        self._document: str | None = None

    @property
    def describes(self) -> bool:
        """Whether the checkpoints of this run can be used without its config; known once training has started."""
        return self._document is not None

    def before_train(self, runner: Runner) -> None:
        """Describe the model."""
        metainfo = getattr(runner.train_dataloader.dataset, 'metainfo', None) or {}
        classes = metainfo.get('classes')
        contract, reason = checkpoint_contract(runner.cfg, classes if isinstance(classes, (list, tuple)) else None)
        self._document = None if contract is None else contract.to_json()
        if contract is None:
            runner.logger.info(f'load_model cannot use the checkpoints of this run: no rule for {reason}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the description."""
        if self._document is not None:
            checkpoint.setdefault('meta', {})[KEY] = self._document
