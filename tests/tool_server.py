"""A process that has imported what the tools import, and forks a process for each tool to run.

Importing torch and mmpretrain takes longer than most tests of the tools. It reads a request a line from standard input,
as JSON, and answers each with the exit status.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import sys
import threading
import traceback
from pathlib import Path

import matplotlib.pyplot  # noqa: F401
import sklearn.datasets  # noqa: F401
from mmengine.config import config
from narrow import start

import mmpretrain_inception.apis
import mmpretrain_inception.cli  # noqa: F401


def main():
    # Configs are dumped several times a run; a second each time for how that looks is too much.
    config.FormatCode = lambda text, **style: (text, True)
    # What is there now is not looked through again, nor copied, in each process.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        request = json.loads(line)
        ranks, port = request.pop('ranks'), request.pop('port')
        children = []
        for rank in range(ranks):
            children.append(os.fork())
            if children[-1] == 0:
                # A test may have changed it since this process was started.
                os.environ.clear()
                os.environ.update(request.pop('environment'))
                if ranks > 1:
                    os.environ.update(environment_of(rank, ranks, port))
                run(**request)
        print(wait(children), flush=True)


def environment_of(rank, ranks, port):
    """Return what torchrun tells a process."""
    numbers = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=ranks, LOCAL_WORLD_SIZE=ranks)
    return {name: str(value) for name, value in numbers.items()} | dict(MASTER_ADDR='127.0.0.1', MASTER_PORT=port)


def wait(children):
    """Return the first status that is not 0; the other processes are ended then, as torchrun does."""
    first = 0
    while children:
        child, status = os.wait()
        children.remove(child)
        if status and not first:
            first = os.waitstatus_to_exitcode(status)
            for other in children:
                os.kill(other, signal.SIGTERM)
    return first


def run(tool, arguments, folder, out, err, narrow):
    """Do what ``python tool arguments`` does in a folder, with its output in two files."""
    # Appended to, since several processes may write.
    append = os.O_WRONLY | os.O_APPEND
    for descriptor, path, flags in (0, os.devnull, os.O_RDONLY), (1, out, append), (2, err, append):
        opened = os.open(path, flags)
        os.dup2(opened, descriptor)
        os.close(opened)
    if narrow:
        start()
    os.chdir(folder)
    sys.argv = [tool, *arguments]
    # Before the folder of this file, in which tests keep modules for configs.
    sys.path.insert(0, str(Path(tool).parent))
    status = status_of(lambda: runpy.run_path(tool, run_name='__main__'))
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    # Taking down the modules of torch and mmpretrain one by one takes as long as a short test.
    os._exit(status)


def status_of(function):
    """Return the status with which Python ends after a function, and print what Python prints."""
    try:
        function()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
            return 1
        return ended.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == '__main__':
    main()
