"""Stopping on a signal without losing anything."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import distributed

from mmpretrain_inception.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook, accumulates
from mmpretrain_inception.registry import HOOKS

# Slurm and Kubernetes, Ctrl-C, a terminal that is closed.
_SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGINT', 'SIGHUP') if hasattr(signal, name))
# A terminal and Slurm signal every process of a job, and torchrun forwards what it gets: one request, received twice.
_SAME_REQUEST_SECONDS = 2.0


@HOOKS.register_module()
class StopSignalHook(Hook):
    """On SIGTERM, SIGINT or SIGHUP save a checkpoint after the current iteration and exit with 143, 130 or 129.

    All processes of a run stop after the same iteration. While gradients accumulate, that is the one of the optimizer's
    next step. A validation is finished first. A second signal, two seconds or more after the first, ends the process at
    once. A SIGHUP that is ignored when training starts stays ignored: a run under ``nohup`` outlives its terminal.
    """

    # After everything that changes the state of an iteration, and after CheckpointHook.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._received = 0
        self._received_at = 0.0
        self._previous: dict[signal.Signals, Any] = {}
        self._group: Any = None

    def before_train(self, runner: Runner) -> None:
        """Handle the signals from now on, and shield the processes that load data from them."""
        if threading.current_thread() is not threading.main_thread():
            # Python allows handlers only there.
            return
        loaders = [runner.train_dataloader] + ([runner.val_dataloader] if runner.val_loop is not None else [])
        for loader in loaders:
            loader.worker_init_fn = partial(_outlive_signals, loader.worker_init_fn)
        if get_world_size() > 1:
            # Apart from the group of the gradients, so that no GPU has to wait.
            self._group = distributed.new_group(backend='gloo')
        # Not so SIGINT, which scripts that start a run in the background make it ignore, whether they mean to or not.
        ignored = [number for number in _SIGNALS if _is_ignored_hangup(number)]
        self._previous = {number: signal.signal(number, self._receive) for number in _SIGNALS if number not in ignored}

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Stop here if any process received a signal."""
        number = self._agree()
        if number and not accumulates(runner):
            self._stop(runner, number, dict(epoch=runner.epoch, iter=runner.iter + 1))

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Stop between the validation and the next epoch."""
        number = self._agree()
        if number and self._previous and not accumulates(runner):
            self._stop(runner, number, dict(epoch=runner.epoch, iter=runner.iter))

    def after_train(self, runner: Runner) -> None:
        """Restore the signal handlers."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        self._previous = {}

    def _receive(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._received:
            self._received, self._received_at = number, now
        elif now - self._received_at > _SAME_REQUEST_SECONDS:
            os._exit(128 + number)

    def _agree(self) -> int:
        """Return the signal that any process received, 0 for none."""
        if self._group is None:
            return self._received
        received = torch.tensor(self._received)
        distributed.all_reduce(received, distributed.ReduceOp.MAX, group=self._group)
        return int(received)

    @staticmethod
    def _stop(runner: Runner, number: int, meta: dict[str, int]) -> None:
        name = signal.Signals(number).name
        if any(isinstance(hook, SafeCheckpointHook) for hook in runner.hooks):
            runner.logger.info(f'{name}: saving a checkpoint after {meta["iter"]} iterations; resume with --resume')
            runner.call_hook('save_stopped', meta=meta)
        else:
            runner.logger.warning(
                f'{name}: stopping after {meta["iter"]} iterations without a checkpoint, since the config has no '
                'CheckpointHook'
            )
        sys.exit(128 + number)


def _is_ignored_hangup(number: signal.Signals) -> bool:
    return number.name == 'SIGHUP' and signal.getsignal(number) is signal.SIG_IGN


def _outlive_signals(init: Callable[[int], None] | None, worker: int) -> None:
    """Set up a process that loads data: only the main process ends it, by a signal or by ending itself."""
    for number in set(_SIGNALS) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):
        # Before another thread starts, which would receive the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if init is not None:
        init(worker)


def _end_with_parent() -> None:
    # The main process ends its workers by the signal that others send to stop the whole run.
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)
