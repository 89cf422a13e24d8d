"""Kill training runs, resume them each time, and compare how they end with a run that nobody killed, bit for bit.

The long form, by hand (about ten minutes on two idle cores, and 2 GB in the folder, best one in memory):

    OMP_NUM_THREADS=1 python tests/stress/kill_harness.py --kills 100 --folder /dev/shm
    OMP_NUM_THREADS=1 python tests/stress/kill_harness.py --kills 20 --ranks 2 --folder /dev/shm
    OMP_NUM_THREADS=1 python tests/stress/kill_harness.py --kills 3 --real --folder /dev/shm
    OMP_NUM_THREADS=1 python tests/stress/kill_harness.py --kills 20 --ranks 2 --signal SIGTERM --folder /dev/shm

The network is a whole Inception V3 with its auxiliary classifier, an average of the parameters and RMSProp, on 20 noisy
images of 80 pixels. A run is 3 epochs of 5 batches with a validation each, and is killed at random moments until it has
ended; the runs take turns in when they save (SETTINGS). A start is a fork of this process, which has imported
everything, or with --real `python tools/train.py`. After every kill the checkpoint that `last_checkpoint` names has to
be whole. `--moments` kills at chosen moments within a save instead. `--signal` sends SIGTERM or SIGINT to a process and
its workers, any one of a run's. The exit status is 0 if every run ended as the unkilled one.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib import import_module
from itertools import cycle
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
CONFIG = REPOSITORY / 'configs/inception_v3/inception-v3-paper_1xb64_folder-75px.py'

COMMON = {
    'train_dataloader.batch_size': 4,
    'val_dataloader.batch_size': 4,
    'train_dataloader.num_workers': 2,
    'val_dataloader.num_workers': 1,
    'train_cfg.max_epochs': 3,
    'default_hooks.logger.interval': 1,
    'default_hooks.checkpoint.max_keep_ckpts': 2,
}
BY_EPOCH, INTERVAL = 'default_hooks.checkpoint.by_epoch', 'default_hooks.checkpoint.interval'
SETTINGS = {
    'every iteration': {BY_EPOCH: False, INTERVAL: 1},
    'every third iteration': {BY_EPOCH: False, INTERVAL: 3},
    'every epoch': {},
    # Three batches a step: it goes over the ends of epochs.
    'gradients of three batches': {BY_EPOCH: False, INTERVAL: 2, 'optim_wrapper.accumulative_counts': 3},
}
# Calls within the first save of an attempt, before which it dies: the file is not on the disk; has no name yet; its
# name is not on the disk; last_checkpoint names the one before; outdated files are still there.
MOMENTS = [('fsync', 1), ('replace', 1), ('fsync', 2), ('replace', 2), ('remove', 1)]


def main() -> None:
    arguments = parse()
    random.seed(arguments.seed)
    folder = Path(tempfile.mkdtemp(prefix='kill_harness_', dir=arguments.folder))
    try:
        make_images(folder / 'images')
        sys.exit(0 if Harness(arguments, folder).run() else 1)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--kills', type=int, default=100, help='kills in all; default: 100')
    parser.add_argument('--ranks', type=int, default=1, help='processes of a run; default: 1')
    parser.add_argument('--seed', type=int, default=0, help='of the moments; default: 0')
    parser.add_argument('--signal', choices=['SIGKILL', 'SIGTERM', 'SIGINT'], default='SIGKILL')
    parser.add_argument('--folder', help='where to work; default: the folder for temporary files')
    parser.add_argument('--real', action='store_true', help='start tools/train.py instead of forking')
    parser.add_argument('--moments', action='store_true', help='kill once at each of five moments within a save')
    return parser.parse_args()


class Harness:
    """Runs to kill, and what became of them."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.arguments, self.folder = arguments, folder
        self.kills = self.kills_in_saves = self.stops = self.runs = self.failures = 0
        self.signal = signal.Signals[arguments.signal]
        self.references: dict[tuple[object, ...], dict] = {}
        self.seconds = math.inf

    def run(self) -> bool:
        started = time.time()
        if self.arguments.moments:
            self.one_run('every iteration', list(MOMENTS))
        else:
            for name in cycle(SETTINGS):
                if self.kills >= self.arguments.kills:
                    break
                self.one_run(name, None)
        print(
            f'{self.kills} times {self.signal.name}, {self.kills_in_saves} of them in a save, {self.stops} answered by '
            f'a checkpoint; {self.runs} runs of {self.arguments.ranks} processes, {self.failures} that did not end as '
            f'the unkilled one; {(time.time() - started) / 60:.1f} min',
            flush=True,
        )
        return not self.failures

    def one_run(self, name: str, moments: list[tuple[str, int]] | None) -> None:
        settings = {**COMMON, **SETTINGS[name]}
        reference = self.reference(settings)
        work_dir, kills = self.folder / f'run_{self.runs}', 0
        while True:
            started = time.time()
            attempt = Attempt(self, work_dir, settings, moments.pop(0) if moments else None)
            if attempt.wait(None if moments is not None else self.delay(), self.signal):
                break
            kills += 1
            self.kills += 1
            self.stops += all(process.exitcode == 128 + self.signal for process in attempt.processes)
            self.check(work_dir)
        if not kills:
            self.seconds = min(self.seconds, time.time() - started)
        difference = 'it failed' if attempt.failed else find_difference(reference, end_of(work_dir))
        self.runs += 1
        self.failures += difference is not None
        print(f'run {self.runs}, saved {name}: {kills} kills, {difference or "ended as the unkilled one"}', flush=True)
        if difference is None:
            shutil.rmtree(work_dir)
        else:
            shutil.copytree(work_dir, Path(tempfile.mkdtemp(prefix='kill_harness_failed_')) / 'run')

    def delay(self) -> float | None:
        if self.kills >= self.arguments.kills:
            return None
        # From kills before the first iteration to several saves; most runs need several attempts.
        return random.uniform(0, 0.8 * self.seconds)

    def reference(self, settings: dict) -> dict:
        # By epoch the last checkpoint is of the end of an epoch, else of its last iteration.
        key = tuple(settings.get(name) for name in ('optim_wrapper.accumulative_counts', BY_EPOCH))
        if key not in self.references:
            work_dir = self.folder / f'unkilled_{len(self.references)}'
            started = time.time()
            # Saved seldom: when a run saves makes no difference.
            attempt = Attempt(self, work_dir, {**settings, INTERVAL: 1000}, None)
            attempt.wait(None, self.signal)
            assert not attempt.failed, attempt.log.read_text()[-3000:]
            # The shortest, since other work on the machine may have come between.
            self.seconds = min(self.seconds, time.time() - started)
            self.references[key] = end_of(work_dir)
            shutil.rmtree(work_dir)
        return self.references[key]

    def check(self, work_dir: Path) -> None:
        """After a kill the last checkpoint is whole, and no file under a valid name is damaged."""
        from mmpretrain_inception.engine.runner.checkpoint_files import find_damage

        self.kills_in_saves += any(work_dir.glob('.*.part'))
        note = work_dir / 'last_checkpoint'
        files = [Path(note.read_text())] if note.exists() else []
        files += sorted(work_dir.glob('*.pth'), key=lambda path: path.stat().st_mtime)[-1:]
        for path in files:
            damage = find_damage(path)
            assert damage is None, f'{path}: {damage}'


class Attempt:
    """One start of a run: its processes."""

    def __init__(self, harness: Harness, work_dir: Path, settings: dict, death: tuple[str, int] | None) -> None:
        ranks = harness.arguments.ranks
        self.log = harness.folder / f'{work_dir.name}.log'
        arguments = [str(CONFIG), '--data', str(harness.folder / 'images'), '--work-dir', str(work_dir)]
        arguments += ['--resume'] if any(work_dir.glob('*_[0-9]*.pth')) else []
        arguments += ['--launcher', 'pytorch'] if ranks > 1 else []
        arguments += ['--cfg-options', *(f'{key}={value}' for key, value in settings.items())]
        port = free_port()
        self.processes = []
        for rank in range(ranks):
            environment = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=ranks, LOCAL_WORLD_SIZE=ranks)
            environment |= dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port, OMP_NUM_THREADS=1)
            environment = {key: str(value) for key, value in environment.items()}
            if harness.arguments.real:
                self.processes.append(Command(arguments, environment, self.log))
            else:
                process = multiprocessing.get_context('fork').Process(
                    target=train_in_fork, args=(arguments, environment, self.log, death)
                )
                process.start()
                # Here too, since the signal may come before the process has done it.
                os.setpgid(process.pid, process.pid)
                self.processes.append(process)

    def wait(self, delay: float | None, number: signal.Signals) -> bool:
        """Wait for the end, or send a signal after a while; return whether it came to an end of its own."""
        self.processes[0].join(delay)
        if self.processes[0].exitcode is None:
            self.end_by(number)
        # As torchrun does it, for what waits for a process that is gone.
        for process in self.processes:
            process.join(60)
            process.kill()
            process.join()
        return not {-number, 128 + number} & {process.exitcode for process in self.processes}

    def end_by(self, number: signal.Signals) -> None:
        # Any process may be the first to die, and the only one to get a signal.
        first, *others = random.sample(self.processes, len(self.processes))
        os.killpg(first.pid, number)
        if number == signal.SIGKILL:
            time.sleep(random.uniform(0, 0.2))
            for process in others:
                process.kill()

    @property
    def failed(self) -> bool:
        return any(process.exitcode for process in self.processes)


class Command(subprocess.Popen):
    """tools/train.py with the methods of a ``multiprocessing.Process``."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        with log.open('a') as output:
            super().__init__(
                [sys.executable, REPOSITORY / 'tools/train.py', *arguments],
                env={**os.environ, **environment},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def join(self, timeout: float | None = None) -> None:
        try:
            self.wait(timeout)
        except subprocess.TimeoutExpired:
            return

    @property
    def exitcode(self) -> int | None:
        return self.poll()


def train_in_fork(arguments: list[str], environment: dict[str, str], log: Path, death: tuple[str, int] | None) -> None:
    """Be tools/train.py, with a process group of its own."""
    os.setpgrp()
    os.environ.update(environment)
    with log.open('a') as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    if death is not None:
        die_before(*death)
    sys.argv = ['train.py', *arguments]
    tools = str(REPOSITORY / 'tools')
    sys.path.insert(0, tools)
    import runpy

    runpy.run_path(f'{tools}/train.py', run_name='__main__')


def die_before(name: str, call: int) -> None:
    """Let the process be killed before so many calls of a function of ``os``."""
    original, calls = getattr(os, name), []

    def count(*arguments: object, **keywords: object) -> object:
        calls.append(name)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*arguments, **keywords)

    setattr(os, name, count)


def end_of(work_dir: Path) -> dict:
    """What is left of a run: all that is to be equal; times, names and the folder are not."""
    import torch

    checkpoint = torch.load((work_dir / 'last_checkpoint').read_text(), weights_only=True)
    hub = checkpoint['message_hub']
    timed = ('time', 'images_per_s', 'memory')
    scalars = {key: value for key, value in hub['log_scalars'].items() if not key.endswith(timed)}
    return {
        **{key: checkpoint[key] for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')},
        'scalars': scalars,
        'best': (hub['runtime_info']['best_score'], Path(hub['runtime_info']['best_ckpt']).name),
        'validations': validations_of(work_dir),
        'position': (checkpoint['meta']['epoch'], checkpoint['meta']['iter']),
    }


def validations_of(work_dir: Path) -> list:
    """Return the metrics of every epoch, once: attempts that validated the same epoch have to agree."""
    lines = (line for path in work_dir.glob('*/vis_data/scalars.json') for line in path.read_text().splitlines())
    # A kill may cut a line.
    entries = (json.loads(line) for line in lines if line.startswith('{') and line.endswith('}'))
    timed = ('time', 'data_time')
    metrics = ({key: entry[key] for key in entry if key not in timed} for entry in entries if 'accuracy/top1' in entry)
    return sorted({json.dumps(entry, sort_keys=True) for entry in metrics})


def find_difference(first: object, second: object, where: str = '') -> str | None:
    """Return where two states differ, or None."""
    import torch

    if isinstance(first, dict) and isinstance(second, dict) and first.keys() == second.keys():
        parts = ((f'{where}/{key}', first[key], second[key]) for key in first)
    elif isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)) and len(first) == len(second):
        parts = ((f'{where}/{index}', *pair) for index, pair in enumerate(zip(first, second)))
    elif isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return None if torch.equal(first, second) else f'{where} differs'
    else:
        return None if first == second else f'{where} differs: {str(first)[:200]} and {str(second)[:200]}'
    return next((found for where, *pair in parts if (found := find_difference(*pair, where))), None)


def make_images(folder: Path) -> None:
    import cv2
    import numpy as np

    rng = np.random.default_rng(0)
    for split, count in (('train', 10), ('val', 3)):
        for label, name in enumerate(('ant', 'bee')):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(60 * label, 60 * label + 190, size=(80, 80, 3), dtype=np.uint8)
                cv2.imwrite(str(folder / split / name / f'{index}.png'), image)


def free_port() -> int:
    with socket.socket() as opened:
        opened.bind(('127.0.0.1', 0))
        return opened.getsockname()[1]


if __name__ == '__main__':
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    # Imported here once, and not by every start.
    import_module('mmpretrain.models')
    import_module('mmpretrain_inception.engine.runner.launch')
    import_module('mmpretrain_inception.apis')
    main()
