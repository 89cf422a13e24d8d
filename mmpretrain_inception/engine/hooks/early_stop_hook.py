"""Early stopping that goes on counting where a run was interrupted."""

from __future__ import annotations

from typing import Any

from mmengine.hooks import EarlyStoppingHook
from mmengine.runner import BaseLoop, Runner

from mmpretrain_inception.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.message_hub import EARLY_STOP


@HOOKS.register_module()
class EarlyStopHook(EarlyStoppingHook):
    """mmengine's ``EarlyStoppingHook`` whose state is in the checkpoints.

    mmengine's hook starts to count anew when a run is resumed.

    Args:
        monitor: The metric. Defaults to ``'auto'``: the first one of the validation, as ``save_best='auto'`` takes.
        patience: How many validations without a new best end the training. Defaults to 5.
        min_delta: What a metric has to change by to be a new best. Defaults to 1e-6: more than rounding.
        **kwargs: Of mmengine's hook. ``rule`` follows from the name of the metric where it tells.

    Raises:
        InputError: If the name of the metric does not tell whether more of it is better, and ``rule`` does not either.
    """

    def __init__(self, monitor: str = 'auto', patience: int = 5, min_delta: float = 1e-6, **kwargs: Any) -> None:
        self._settings = dict(patience=patience, min_delta=min_delta, **kwargs)
        self._state: dict[str, float] | None = None
        if monitor == 'auto':
            # The rule is known with the first metrics.
            super().__init__(monitor, **{'rule': 'greater', **self._settings})
        else:
            self._choose(monitor)

    def before_train(self, runner: Runner) -> None:
        """Take up the count of the run that this one goes on with."""
        self._state = runner.message_hub.runtime_info.get(EARLY_STOP) if runner._resume else None
        if self._state and self.monitor != 'auto':
            self._restore()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Count a validation, and stop the training where that is due."""
        if not metrics or not isinstance(runner._train_loop, BaseLoop):
            # Validation without training builds no training loop.
            return
        if self.monitor == 'auto':
            self._choose(next(iter(metrics)))
            self._restore()
        super().after_val_epoch(runner, metrics)
        state = dict(best=float(self.best_score), waited=self.wait_count)
        runner.message_hub.update_info(EARLY_STOP, state)
        if runner.train_loop.stop_training:
            runner.logger.info(
                f'training stops early: {self.monitor} was not better than {self.best_score:.4g} in the last '
                f'{self.wait_count} validations (--patience)'
            )

    def _choose(self, monitor: str) -> None:
        rule = self._settings.get('rule') or SafeCheckpointHook(save_best=monitor).rules[0]
        super().__init__(monitor, **{**self._settings, 'rule': rule})

    def _restore(self) -> None:
        if self._state:
            self.best_score, self.wait_count = self._state['best'], int(self._state['waited'])
            self._state = None
