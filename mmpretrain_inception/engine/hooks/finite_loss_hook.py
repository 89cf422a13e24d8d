"""Training stops when the loss is NaN or infinite."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any, NamedTuple

import torch
from mmengine.dist import all_gather_object, all_reduce
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch import Tensor

from mmpretrain_inception.engine.batches import list_files
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.message_hub import LAST_SKIPPED_ITER, SKIPPED_BATCHES
from mmpretrain_inception.utils.modules import unwrap
from mmpretrain_inception.utils.wording import list_some

_SPOILED = 'the weights were already NaN or infinite: lower the learning rate or clip the gradients'
_ADVICE = (
    'lower the learning rate or check the files; '
    'default_hooks.finite_loss.max_skipped={} is the number of such batches that may be skipped'
)


class BadBatch(NamedTuple):
    """A batch with a loss that is NaN or infinite.

    Attributes:
        loss: The loss.
        rate: The learning rate of the first parameter group.
        files: The image files.
        spoiled: Whether the weights are NaN or infinite too.
    """

    loss: float
    rate: float
    files: list[str]
    spoiled: bool


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Stop when the loss is NaN or infinite, before the weights are updated, or skip such batches.

    The loss is checked between the forward and the backward pass. If it is not finite in any process, all processes
    undo what the forward pass did to the buffers (batch norm's running statistics). While ``max_skipped`` allows it,
    the iteration then ends: weights, optimizer, statistics and, with ``SyncedEMAHook``, their average do not change,
    and gradients accumulated for the same step are dropped. Schedules count the iteration. Otherwise the state before
    the batch is saved as ``nonfinite_iter_N.pth``, with the files of the batch under ``meta.nonfinite``, and the run
    stops. ``--resume`` does not use that file unless you name it.

    If the weights themselves are NaN or infinite, for example after an overflow in the gradients, skipping does not
    help and the run always stops.

    The check waits for the loss once per iteration (mmengine does too, to log it), and sums one number over the
    processes.

    Args:
        max_skipped: Number of batches that may be skipped in a run, including its resumed parts. Defaults to 0: the
            first one stops it.

    Raises:
        InputError: With the iteration, the learning rate and the files of the batch.
    """

    # Before RuntimeInfoHook, which logs the losses.
    priority = 'HIGHEST'

    def __init__(self, max_skipped: int = 0) -> None:
        self.max_skipped = max_skipped
        self._batch: Any = None
        # In groups of one data type.
        self._buffers: list[list[Tensor]] = []
        self._saved: list[list[Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Insert the check between loss and optimizer; mmengine has no hook there."""
        by_type: dict[torch.dtype, list[Tensor]] = defaultdict(list)
        for buffer in unwrap(runner.model).buffers():
            by_type[buffer.dtype].append(buffer)
        self._buffers = list(by_type.values())
        self._saved = [[buffer.clone() for buffer in group] for group in self._buffers]
        wrapper = runner.optim_wrapper
        # Each of several optimizers has its own loss.
        for one in wrapper.values() if isinstance(wrapper, OptimWrapperDict) else [wrapper]:
            self._guard(runner, one)

    def _guard(self, runner: Runner, wrapper: OptimWrapper) -> None:
        update = wrapper.update_params

        def update_if_finite(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            if self._is_finite(loss):
                update(loss, *args, **kwargs)
            else:
                self._refuse(runner, wrapper, loss)

        wrapper.update_params = update_if_finite

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Save what the forward pass changes."""
        self._batch = data_batch
        _copy(self._buffers, self._saved)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict[str, Any] | None = None
    ) -> None:
        """Keep the losses of a skipped batch out of the log, where they would make the means NaN."""
        if outputs and was_skipped(runner):
            outputs.clear()

    @staticmethod
    def _is_finite(loss: Tensor) -> bool:
        broken = (~torch.isfinite(loss.detach())).float()
        all_reduce(broken)
        return not broken.item()

    @torch.no_grad()
    def _refuse(self, runner: Runner, wrapper: OptimWrapper, loss: Tensor) -> None:
        _copy(self._saved, self._buffers)
        wrapper.zero_grad()
        wrapper._inner_count += 1
        batch = self._gather(wrapper, loss)
        skipped = runner.message_hub.runtime_info.get(SKIPPED_BATCHES, 0)
        where = f'iteration {runner.iter + 1}: the loss is {batch.loss} at learning rate {batch.rate:.3g}'
        found = f'{where}, files {list_some(batch.files) or "unknown"}'
        if batch.spoiled or skipped >= self.max_skipped:
            name = f'nonfinite_iter_{runner.iter + 1}.pth'
            meta = dict(nonfinite=batch._asdict(), epoch=runner.epoch, iter=runner.iter)
            runner.save_checkpoint(runner.work_dir, name, meta=meta)
            advice = _SPOILED if batch.spoiled else _ADVICE.format(self.max_skipped)
            raise InputError(f'{found}; the state before this batch is in {runner.work_dir}/{name}\n{advice}')
        runner.message_hub.update_info(SKIPPED_BATCHES, skipped + 1)
        runner.message_hub.update_info(LAST_SKIPPED_ITER, runner.iter)
        runner.logger.warning(f'{found}; skipped ({skipped + 1} of at most {self.max_skipped})')

    def _gather(self, wrapper: OptimWrapper, loss: Tensor) -> BadBatch:
        """Combine what the processes know, so that all of them decide the same."""
        finite = all(bool(torch.isfinite(part).all()) for group in wrapper.param_groups for part in group['params'])
        own = BadBatch(loss.item(), wrapper.get_lr()['lr'][0], list_files(self._batch), not finite)
        processes: list[BadBatch] = all_gather_object(own)
        bad = [batch for batch in processes if not math.isfinite(batch.loss)]
        files = [file for batch in bad for file in batch.files]
        return bad[0]._replace(files=files, spoiled=any(batch.spoiled for batch in processes))


def _copy(source: list[list[Tensor]], target: list[list[Tensor]]) -> None:
    for values, places in zip(source, target):
        # In one call, as in torch's optimizers. One by one, or in a call with several data types, these are 282 small
        # kernels on a GPU.
        torch._foreach_copy_(places, values)


def was_skipped(runner: Runner) -> bool:
    """Return whether the batch of the current iteration was skipped."""
    return runner.message_hub.runtime_info.get(LAST_SKIPPED_ITER) == runner.iter
