"""What several test files use."""

import functools
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import narrow

from mmpretrain_inception.errors import InputError

REPOSITORY = Path(__file__).parents[1]
CONFIGS = REPOSITORY / 'configs' / 'inception_v3'

# 96 digits to train on, 48 to test on, one epoch.
TINY_DIGITS = (
    'train_dataloader.batch_size=32',
    'train_dataloader.dataset.indices=96',
    'val_dataloader.dataset.indices=48',
    'test_dataloader.dataset.indices=48',
    'train_cfg.max_epochs=1',
)


def free_port():
    """Return a port that nobody listens on, for the processes of a distributed run to meet at."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def workers_for(cores, memory):
    """Return how many test processes a machine takes: one a core, and one for each 2.5 GB, with what it starts."""
    return max(1, min(cores, memory // 2_500_000_000))


def run(*command, cwd, **environment):
    """Run a command as a user would and return what it printed, with its exit status."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', **narrow.environment(), **environment}
    return subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)


def run_tool(name, *arguments, cwd, ranks=1):
    """Do as :func:`run` with one of our tools, in a process that has imported torch and mmpretrain before.

    With ``ranks``, in so many at once, which ``--launcher pytorch`` connects.
    """
    command = [str(part) for part in (REPOSITORY / 'tools' / name, *arguments)]
    server = _tool_server()
    with tempfile.NamedTemporaryFile('r') as out, tempfile.NamedTemporaryFile('r') as err:
        request = dict(tool=command[0], arguments=command[1:], folder=str(cwd), out=out.name, err=err.name)
        request |= dict(narrow=narrow.active(), ranks=ranks, port=free_port())
        request['environment'] = {**os.environ, 'OMP_NUM_THREADS': '1'}
        print(json.dumps(request), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(command, status, out.read(), err.read())


@functools.cache
def _tool_server():
    """Start the process; it ends with this one, which holds its standard input."""
    return subprocess.Popen(
        [sys.executable, REPOSITORY / 'tests' / 'tool_server.py'],
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(handler):
    """Run a web server of this process. Its ``stop`` is set before it ends, so that no answer is waited for."""
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    server.requests, server.stop = [], threading.Event()
    server.address = f'http://127.0.0.1:{server.server_port}'
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield server
    finally:
        server.stop.set()
        server.shutdown()
        server.server_close()


def as_nobody(call):
    """Return the message of the InputError that a call raises in a process that may not write everywhere."""
    receiving, sending = os.pipe()
    process = os.fork()
    if not process:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            call()
        except InputError as error:
            os.write(sending, str(error).encode())
        finally:
            os._exit(0)
    os.close(sending)
    os.waitpid(process, 0)
    with open(receiving) as pipe:
        return pipe.read()


def code_blocks(document, language='python'):
    """Return the code blocks of a Markdown file in that language, as they stand."""
    return re.findall(rf'^```{language}\n(.*?)^```$', (REPOSITORY / document).read_text(), re.MULTILINE | re.DOTALL)
