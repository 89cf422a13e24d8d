"""A Runner whose runs may be killed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import BaseLoop, FlexibleRunner, Runner

from mmpretrain_inception.engine.runner.atomic_backend import ATOMIC_LOCAL
from mmpretrain_inception.engine.runner.checkpoint_files import newest_whole_checkpoint
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.registry import RUNNERS

_OURS = {
    'CheckpointHook': 'mmpretrain_inception.SafeCheckpointHook',
    'EpochBasedTrainLoop': 'mmpretrain_inception.ResumableTrainLoop',
}


class _Resumable(Runner if TYPE_CHECKING else object):  # type: ignore[misc]
    """What :class:`ResumableRunner` adds to either of mmengine's Runners."""

    def __init__(self, *args: Any, auto_scale_lr: dict[str, Any] | None = None, **kwargs: Any) -> None:
        auto_scale_lr = _scale_by_steps(auto_scale_lr, kwargs.get('optim_wrapper'))
        super().__init__(*args, auto_scale_lr=auto_scale_lr, **kwargs)

    def build_train_loop(self, loop: BaseLoop | dict[str, Any]) -> BaseLoop:
        """Build a training loop; one by epochs is ``ResumableTrainLoop``."""
        if isinstance(loop, dict) and 'type' not in loop and loop.get('by_epoch'):
            loop = {'type': 'EpochBasedTrainLoop', **{key: loop[key] for key in loop if key != 'by_epoch'}}
        return super().build_train_loop(_with_our_type(loop))

    def register_default_hooks(self, hooks: dict[str, Any] | None = None) -> None:
        """Register the default hooks; the one for checkpoints is ``SafeCheckpointHook``."""
        hooks = {'checkpoint': dict(type='CheckpointHook', interval=1), **(hooks or {})}
        super().register_default_hooks({name: _with_our_type(hook) for name, hook in hooks.items()})

    def load_or_resume(self) -> None:
        """Load or resume; without a file to resume from, from the newest in the work directory that is whole.

        Raises:
            InputError: If all that the work directory holds are damaged.
        """
        if self._resume and self._load_from is None and not self._has_loaded:
            self._load_from: str | None = self._newest_checkpoint()
        super().load_or_resume()

    def resume(self, filename: str, *args: Any, **kwargs: Any) -> None:
        """Go on from a checkpoint.

        Raises:
            InputError: If it cannot be read, or is of a run with another optimizer or other schedules.
        """
        try:
            super().resume(filename, *args, **kwargs)
        except InputError:
            raise
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = ' '.join(str(error).split())[:160]
            raise InputError(
                f'{filename}: a checkpoint of a run with this config was expected, but this one does not fit '
                f'({type(error).__name__}: {reason})'
            ) from error

    def save_checkpoint(
        self, out_dir: str, filename: str, *args: Any, backend_args: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Save a checkpoint, atomically where the folder is a local one.

        Raises:
            InputError: If it cannot be written. An older one of that name is then as it was.
        """
        if backend_args is None and '://' not in str(out_dir):
            backend_args = dict(backend=ATOMIC_LOCAL)
        super().save_checkpoint(out_dir, filename, *args, backend_args=backend_args, **kwargs)

    def _newest_checkpoint(self) -> str:
        # The main process alone looks, so that all resume from the same.
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
    """mmengine's ``Runner`` that loses nothing when it is killed, and goes on as if it had not been.

    Configs say ``runner_type='mmpretrain_inception.ResumableRunner'`` and keep mmengine's names for the rest: where
    they ask for ``CheckpointHook`` or for training by epochs, they get ``SafeCheckpointHook`` and
    ``ResumableTrainLoop``. It can go when mmengine writes checkpoints atomically and resumes within an epoch.
    """


@RUNNERS.register_module()
class ResumableFlexibleRunner(_Resumable, FlexibleRunner):
    """The same for mmengine's ``FlexibleRunner``, which sharded training needs.

    mmengine 0.10.7's writes a wrong epoch into every checkpoint that ``save_best`` updates, from which resuming leaves
    an epoch out.
    """

    def save_checkpoint(self, *args: Any, meta: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Save a checkpoint with the epoch and the iteration of ``meta``, as ``Runner`` does.

        Raises:
            InputError: If it cannot be written.
        """
        super().save_checkpoint(*args, meta=_Kept(meta or {}), **kwargs)


class _Kept(dict[str, Any]):
    """A dict whose values ``update`` leaves as they are."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Add what is new."""
        for key, value in dict(*args, **kwargs).items():
            self.setdefault(key, value)


def _with_our_type(config: Any) -> Any:
    if isinstance(config, dict) and config.get('type') in _OURS:
        return {**config, 'type': _OURS[config['type']]}
    return config


def _scale_by_steps(auto_scale_lr: dict[str, Any] | None, optim_wrapper: Any) -> dict[str, Any] | None:
    """Make the rate follow the images of an optimizer's step; mmengine counts those of an iteration."""
    if not auto_scale_lr or 'base_batch_size' not in auto_scale_lr:
        return auto_scale_lr
    if isinstance(optim_wrapper, dict):
        accumulated = optim_wrapper.get('accumulative_counts', 1)
    else:
        accumulated = getattr(optim_wrapper, '_accumulative_counts', 1)
    return {**auto_scale_lr, 'base_batch_size': auto_scale_lr['base_batch_size'] / accumulated}
