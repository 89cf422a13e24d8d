"""Checkpoints that survive kills, full disks and later runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

from mmengine.dist import barrier, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapperDict
from mmengine.runner import Runner

from mmpretrain_inception.engine.runner.checkpoint_files import LAST, set_aside_checkpoints
from mmpretrain_inception.engine.runner.rank_buffers import Buffers, gather_buffers, restore_buffers
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import HOOKS
from mmpretrain_inception.utils.atomic_file import atomic_write, remove_partial_files
from mmpretrain_inception.utils.message_hub import STOPPED_CHECKPOINT, VALIDATED_EPOCH
from mmpretrain_inception.utils.wording import list_some


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """mmengine's ``CheckpointHook`` that never loses a checkpoint to a kill or a full disk.

    ``ResumableRunner`` writes the files atomically. This hook adds:

    * outdated checkpoints, such as the previous best, are removed after their successor is on the disk, not before;
    * ``last_checkpoint`` is replaced atomically;
    * saving waits for the optimizer's step while gradients accumulate, since a checkpoint does not hold gradients;
    * each process gets its own batch-norm statistics back;
    * only the file name of a path in a checkpoint counts, so that none leads out of the folder;
    * a new run moves the checkpoints of an earlier one in the same folder to ``before_<time>/``, and says so.

    Takes the arguments of mmengine's hook.
    """

    # Parts of names of metrics by which mmengine knows which value is the best; it lacks these.
    _default_greater_keys = [*CheckpointHook._default_greater_keys, 'f1', 'recall', 'iou']
    _default_less_keys = [*CheckpointHook._default_less_keys, 'cross_entropy', 'error', 'perplexity']

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.file_backend: Any = None
        self._deferred_step: int | None = None
        self._rank_buffers: list[Buffers] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Take out what :meth:`before_save_checkpoint` stored, and numbers only of the checkpoints to remove."""
        self._rank_buffers = checkpoint.pop('rank_buffers', None)
        info = checkpoint.get('message_hub', {}).get('runtime_info', {})
        if 'keep_ckpt_ids' in info:
            info['keep_ckpt_ids'] = [step for step in info['keep_ckpt_ids'] if isinstance(step, int)]

    def before_train(self, runner: Runner) -> None:
        """Find the folder, and clear it of unfinished files of killed runs and checkpoints of other runs."""
        super().before_train(runner)
        if self._rank_buffers is not None and runner._resume:
            restore_buffers(runner, self._rank_buffers)
        self._rank_buffers = None
        best: str | None = getattr(self, 'best_ckpt_path', None)
        if best is not None:
            self.best_ckpt_path = self._inside(best)
        for key, path in getattr(self, 'best_ckpt_path_dict', {}).items():
            self.best_ckpt_path_dict[key] = path and self._inside(path)
        if is_main_process():
            for folder in {str(self.out_dir), runner.work_dir}:
                remove_partial_files(folder)
        # By now every process has loaded its checkpoint, which may be one of those that are moved.
        barrier()
        if is_main_process() and not self._continues_here(runner):
            self._set_aside(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Store the batch-norm statistics of all processes."""
        if self._rank_buffers is not None and 'optimizer' in checkpoint:
            checkpoint['rank_buffers'] = self._rank_buffers

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save if that is due, or was due while gradients accumulated."""
        super().after_train_iter(runner, batch_idx, data_batch, outputs)
        if self._deferred_step is not None and not accumulates(runner):
            step = self._deferred_step if self.by_epoch else runner.iter + 1
            self._save_checkpoint_with_step(runner, step, dict(epoch=runner.epoch, iter=runner.iter + 1))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float]) -> None:
        """Save the best; ``Runner.val()`` without training saves nothing."""
        if self.file_backend is None:
            return
        runner.message_hub.update_info(VALIDATED_EPOCH, runner.epoch)
        super().after_val_epoch(runner, metrics)

    def save_stopped(self, runner: Runner, meta: dict[str, int]) -> None:
        """Save ``iter_N.pth`` of a run that stops here, unless it exists; the next checkpoint replaces it.

        Args:
            runner: The Runner.
            meta: The epoch and the iteration to go on with.
        """
        name = f'iter_{meta["iter"]}.pth'
        if Path(str(self.last_ckpt)).name != name:
            self._write(runner, name, meta, stopped=name)

    def _continues_here(self, runner: Runner) -> bool:
        """Return whether the run resumes from a checkpoint of its own folder."""
        return runner._resume and Path(runner._load_from).resolve().parent == Path(self.out_dir).resolve()

    def _set_aside(self, runner: Runner) -> None:
        """Move the checkpoints of an earlier run, which this one would overwrite and take for its own."""
        if not Path(self.out_dir).is_dir():
            # Not a local folder, or a new one.
            return
        moved = set_aside_checkpoints(Path(self.out_dir), f'before_{runner.timestamp}')
        if moved:
            names = list_some([path.name for path in moved])
            runner.logger.warning(f'checkpoints of an earlier run were moved to {moved[0].parent}: {names}')

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, int]) -> None:
        if accumulates(runner):
            self._deferred_step = step
            return
        self._deferred_step = None
        outdated = self._outdated(runner, step)
        self._write(runner, self.filename_tmpl.format(step), meta)
        for number in outdated:
            self._remove(self.filename_tmpl.format(number))

    def _init_rule(self, rules: list[str | None], key_indicators: list[str]) -> None:
        try:
            super()._init_rule(rules, key_indicators)
        except ValueError as error:
            raise InputError(
                f'default_hooks.checkpoint.save_best={",".join(key_indicators)}: the name does not say whether more or '
                'less of it is better; set default_hooks.checkpoint.rule to greater or less'
            ) from error

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, float]) -> None:
        with self._removing_afterwards():
            super()._save_best_checkpoint(runner, metrics)

    def _outdated(self, runner: Runner, step: int) -> list[int]:
        if self.max_keep_ckpts <= 0 or step in self.keep_ckpt_ids:
            return []
        outdated = [self.keep_ckpt_ids.popleft()] if len(self.keep_ckpt_ids) == self.max_keep_ckpts else []
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        return outdated

    def _write(self, runner: Runner, name: str, meta: dict[str, int], stopped: str | None = None) -> None:
        """Write a checkpoint, name it in ``last_checkpoint``, and remove the one of the last stop, in this order."""
        hub = runner.message_hub
        before = hub.runtime_info.get(STOPPED_CHECKPOINT)
        hub.update_info(STOPPED_CHECKPOINT, stopped)
        self.last_ckpt = self._inside(name)
        hub.update_info('last_ckpt', self.last_ckpt)
        self._rank_buffers = gather_buffers(runner)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        self._rank_buffers = None
        if is_main_process():
            with atomic_write(Path(runner.work_dir) / LAST) as file:
                file.write(self.last_ckpt.encode())
        if before and before != name:
            self._remove(before)

    def _remove(self, name: str) -> None:
        path = self._inside(name)
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)

    def _inside(self, path: str) -> str:
        return self.file_backend.join_path(self.out_dir, Path(path).name)

    @contextmanager
    def _removing_afterwards(self) -> Iterator[None]:
        """Postpone removals: mmengine removes a checkpoint before it writes the one that replaces it."""
        backend = self.file_backend
        outdated: list[str] = []
        self.file_backend = copy(backend)
        self.file_backend.remove = outdated.append
        try:
            yield
        finally:
            self.file_backend = backend
        for path in outdated:
            backend.remove(path)


def accumulates(runner: Runner) -> bool:
    """Return whether there are gradients that the optimizer has not used yet."""
    wrapper = runner.optim_wrapper
    return not isinstance(wrapper, OptimWrapperDict) and not wrapper.should_update()
