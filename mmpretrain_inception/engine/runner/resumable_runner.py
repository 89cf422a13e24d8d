"""Runners whose training can be stopped at any moment and resumed exactly."""

from __future__ import annotations

from collections.abc import Sequence
from logging import FileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import MMLogger
from mmengine.runner import BaseLoop, CheckpointLoader, EpochBasedTrainLoop, FlexibleRunner, IterBasedTrainLoop, Runner
from mmengine.runner.checkpoint import _load_checkpoint_to_model
from mmpretrain.engine import VisualizationHook

from mmpretrain_inception.engine.runner.atomic_backend import ATOMIC_LOCAL
from mmpretrain_inception.engine.runner.checkpoint_files import newest_whole_checkpoint
from mmpretrain_inception.engine.runner.resume_checks import check_resumable
from mmpretrain_inception.engine.runner.work_dir_lock import lock_work_dir
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import HOOKS, LOOPS, RUNNERS, resolve
from mmpretrain_inception.utils.modules import unwrap
from mmpretrain_inception.weights import open_weights
from mmpretrain_inception.weights.metafile import is_published
from mmpretrain_inception.workarounds import overwrites_the_epoch

# What takes the place of exactly these classes, however a config spells them.
_OUR_HOOKS: dict[type | None, str] = {
    CheckpointHook: 'mmpretrain_inception.SafeCheckpointHook',
    VisualizationHook: 'mmpretrain_inception.PredictionImageHook',
}
_OUR_LOOPS: dict[type | None, str] = {
    EpochBasedTrainLoop: 'mmpretrain_inception.ResumableTrainLoop',
    IterBasedTrainLoop: 'mmpretrain_inception.IterationTrainLoop',
}


# mmengine's FlexibleRunner leaves opening to its strategy, which knows schemes only.
_SCHEME = 'mmpretrain_inception://'


@CheckpointLoader.register_scheme(prefixes=_SCHEME)
def load_from_weights(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Open a checkpoint of any format without running anything in it; mmengine calls it for our scheme.

    Args:
        filename: A file or address, after the scheme.
        map_location: Not used: it is read on the CPU.

    Raises:
        InputError: If it cannot be read.
    """
    return open_weights(filename.removeprefix(_SCHEME)).checkpoint


class _Resumable(Runner if TYPE_CHECKING else object):  # type: ignore[misc]
    """What :class:`ResumableRunner` adds to either of mmengine's Runners."""

    # The setting `param_scheduler`, which building the schedulers replaces; schedulers that are a step behind.
    _schedules: Any = None
    _behind: tuple[Any, ...] = ()
    _trains = False

    def __init__(self, *args: Any, auto_scale_lr: dict[str, Any] | None = None, **kwargs: Any) -> None:
        auto_scale_lr = _scale_by_steps(auto_scale_lr, kwargs.get('optim_wrapper'))
        super().__init__(*args, auto_scale_lr=auto_scale_lr, **kwargs)

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger; its file holds names that are not UTF-8 as escapes."""
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if isinstance(handler, FileHandler) and handler.stream is not None:
                handler.stream.reconfigure(errors='backslashreplace')
        return logger

    def build_train_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """Build a training loop: ``ResumableTrainLoop`` by epochs, ``IterationTrainLoop`` by iterations."""
        self._schedules = self._schedules or self.param_schedulers
        if isinstance(loop, dict) and 'type' not in loop and 'by_epoch' in loop:
            kind = EpochBasedTrainLoop if loop['by_epoch'] else IterBasedTrainLoop
            loop = {'type': kind, **{key: loop[key] for key in loop if key != 'by_epoch'}}
        if isinstance(loop, dict) and 'by_epoch' not in loop:
            loop = {**loop, 'type': _OUR_LOOPS.get(resolve(loop.get('type'), LOOPS), loop.get('type'))}
        return super().build_train_loop(loop)

    def register_hook(self, hook: Hook | dict[str, Any], priority: Any = None) -> None:
        """Register a hook; ours takes the place of mmengine's ``CheckpointHook`` and others of that name."""
        if isinstance(hook, dict):
            hook = {**hook, 'type': _OUR_HOOKS.get(resolve(hook.get('type'), HOOKS), hook.get('type'))}
        super().register_hook(hook, priority)

    def train(self) -> Any:
        """Train, while no other run may train in the work directory.

        Raises:
            InputError: If another run does.
        """
        with lock_work_dir(self.work_dir):
            self._trains = True
            self.dump_config()
            return super().train()

    def dump_config(self) -> None:
        """Write the config to the work directory when training starts, and not when the Runner is built.

        A test, or a run that is refused, would otherwise replace the config of the run that is training there.
        """
        if self._trains:
            super().dump_config()

    def load_or_resume(self) -> None:
        """Load or resume; without a file to resume from, from the newest one in the work directory that is whole.

        A run that started from published weights cannot be resumed from them, whatever ``load_from`` still says.

        Raises:
            InputError: If the work directory holds no checkpoint, or only damaged ones.
        """
        if self._resume and not self._has_loaded and (not self._load_from or is_published(self._load_from)):
            self._load_from: str | None = self._newest_checkpoint()
        super().load_or_resume()

    def resume(self, *args: Any, **kwargs: Any) -> None:
        """Continue from a checkpoint.

        Raises:
            InputError: If it cannot be read or does not fit this run: :func:`check_resumable`.
        """
        super().resume(*args, **kwargs)
        for scheduler in self._behind:
            scheduler.step()

    def call_hook(self, fn_name: str, **kwargs: Any) -> None:
        """Call the hooks; a checkpoint to resume from is checked before any hook changes it.

        Both of mmengine's Runners show a checkpoint to the hooks before they take anything from it.

        Raises:
            InputError: If a checkpoint to resume from does not fit this run.
        """
        if fn_name == 'after_load_checkpoint' and self._resume and self._trains:
            self._behind = check_resumable(self, kwargs['checkpoint'], self._schedules)
        super().call_hook(fn_name, **kwargs)

    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, backend_args: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Save a checkpoint, atomically if the folder is a local one.

        Raises:
            InputError: If it cannot be written. An older one of that name is unchanged.
        """
        if backend_args is None and '://' not in str(out_dir):
            backend_args = dict(backend=ATOMIC_LOCAL)
        super().save_checkpoint(out_dir, filename, *args, backend_args=backend_args, **kwargs)

    def _build_param_scheduler(self, scheduler: Any, optim_wrapper: Any) -> list[Any]:
        """Build the schedules of an optimizer without those that last no iteration, which mmengine refuses."""
        schedulers = scheduler if isinstance(scheduler, (list, tuple)) else [scheduler]
        kept = [one for one in schedulers if not self._is_empty(one)]
        if len(kept) < len(schedulers):
            self.logger.info('a warm-up of less than an iteration is left out')
        return super()._build_param_scheduler(kept, optim_wrapper)

    def _is_empty(self, scheduler: Any) -> bool:
        """Return whether a part of an epoch has no iteration."""
        if not isinstance(scheduler, dict) or not scheduler.get('convert_to_iter_based'):
            return False
        batches, begin, end = len(self.train_dataloader), scheduler.get('begin', 0), scheduler.get('end')
        return end is not None and begin < end and int(end * batches) <= int(begin * batches)

    def _newest_checkpoint(self) -> str:
        # Only the main process looks, so that all resume from the same one.
        found: list[Any] = [None, None]
        if is_main_process():
            try:
                found[0] = str(newest_whole_checkpoint(Path(self.work_dir), self._checkpoint_folder()))
            except InputError as error:
                found[1] = str(error)
        broadcast_object_list(found)
        if found[0] is None:
            raise InputError(found[1])
        return found[0]

    def _checkpoint_folder(self) -> Path:
        out_dir = next((hook.out_dir for hook in self.hooks if isinstance(hook, CheckpointHook)), None)
        # As mmengine's hook does it before training.
        return Path(self.work_dir) if out_dir is None else Path(out_dir) / Path(self.work_dir).name


@RUNNERS.register_module()
class ResumableRunner(_Resumable, Runner):
    """mmengine's ``Runner`` that loses nothing when it is killed and resumes exactly, even after ``kill -9``.

    Configs set ``runner_type='mmpretrain_inception.ResumableRunner'`` and keep mmengine's names for the rest: where
    they ask for ``CheckpointHook``, ``VisualizationHook`` or one of mmengine's training loops, they get ours.
    """

    def load_checkpoint(
        self,
        filename: str,
        map_location: Any = 'cpu',
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = ((r'^module.', ''),),
    ) -> dict[str, Any]:
        """Load a checkpoint of any format without running anything in it.

        Args:
            filename: A file or address.
            map_location: Not used: it is read on the CPU and copied from there.
            strict: Whether missing and unexpected names are errors. ``FitWeightsHook`` makes them errors before this.
            revise_keys: Patterns to replace in names, and what to replace them by.

        Returns:
            The content of the file.

        Raises:
            InputError: If it cannot be read, or ``FitWeightsHook`` finds that it does not fill the model.
        """
        checkpoint = open_weights(filename).checkpoint
        self.call_hook('after_load_checkpoint', checkpoint=checkpoint)
        _load_checkpoint_to_model(unwrap(self.model), checkpoint, strict, revise_keys=list(revise_keys))
        self._has_loaded = True
        self.logger.info(f'Load checkpoint from {filename}')
        return checkpoint


@RUNNERS.register_module()
class ResumableFlexibleRunner(_Resumable, FlexibleRunner):
    """The same for mmengine's ``FlexibleRunner``, which sharded training needs.

    mmengine 0.10.7 writes a wrong epoch into every checkpoint that ``save_best`` updates, so that resuming skips an
    epoch; where it does, this class writes the right one.
    """

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Load a checkpoint, opened as by :class:`ResumableRunner`.

        Raises:
            InputError: As there.
        """
        super().load_checkpoint(f'{_SCHEME}{filename}', *args, **kwargs)

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on from a checkpoint, opened as by :class:`ResumableRunner`.

        Raises:
            InputError: As there.
        """
        super().resume(f'{_SCHEME}{filename}', *args, **kwargs)

    def save_checkpoint(self, *args: Any, meta: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Save a checkpoint with the epoch and the iteration of ``meta``, as ``Runner`` does.

        Raises:
            InputError: If it cannot be written.
        """
        kept: type[dict[str, Any]] = _Kept if overwrites_the_epoch() else dict
        super().save_checkpoint(*args, meta=kept(meta or {}), **kwargs)


class _Kept(dict[str, Any]):
    """A dict whose values ``update`` does not change."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Add what is new."""
        for key, value in dict(*args, **kwargs).items():
            self.setdefault(key, value)


def _scale_by_steps(auto_scale_lr: dict[str, Any] | None, optim_wrapper: Any) -> dict[str, Any] | None:
    """Make the rate follow the images of an optimizer's step; mmengine counts those of an iteration."""
    if not auto_scale_lr or 'base_batch_size' not in auto_scale_lr:
        return auto_scale_lr
    if isinstance(optim_wrapper, dict):
        accumulated = optim_wrapper.get('accumulative_counts', 1)
    else:
        accumulated = getattr(optim_wrapper, '_accumulative_counts', 1)
    return {**auto_scale_lr, 'base_batch_size': auto_scale_lr['base_batch_size'] / accumulated}
