"""Several processes of a distributed run, forked from one that has imported everything and done nothing."""

import importlib.util
import inspect
import multiprocessing
import os

from torch import distributed

# Not from the test's own process: autograd refuses to run in a fork of one in which it has run.
_SERVER = multiprocessing.get_context('forkserver')
_SERVER.set_forkserver_preload(['mmpretrain_inception.models', 'mmpretrain_inception.engine', 'tiny_training'])
_SECONDS = 120


def in_processes(count, folder, function, *arguments):
    """Run ``function(rank, *arguments)`` in a gloo group and return what it gave or raised in each, by rank.

    The function is one of a module's own; it and the arguments go to the processes by name and by pickle.
    """
    queue = _SERVER.Queue()
    source = (inspect.getfile(function), function.__name__)
    started = [
        _SERVER.Process(target=_run, args=(queue, count, rank, folder / 'rendezvous', source, arguments))
        for rank in range(count)
    ]
    for process in started:
        process.start()
    try:
        results = dict(queue.get(timeout=_SECONDS) for _ in started)
    finally:
        for process in started:
            process.join(timeout=5)
            process.kill()
    return [results[rank] for rank in range(count)]


def _run(queue, count, rank, rendezvous, source, arguments):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
    try:
        if count > 1:
            distributed.init_process_group('gloo', init_method=f'file://{rendezvous}', rank=rank, world_size=count)
        result = _load(*source)(rank, *arguments)
    except Exception as error:
        result = error
    queue.put((rank, result))
    if count > 1:
        distributed.destroy_process_group()


def _load(path, name):
    spec = importlib.util.spec_from_file_location('loaded_test', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)
