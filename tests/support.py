"""What several test files use."""

import os
import re
import socket
import subprocess
from pathlib import Path

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


def run(*command, cwd, **environment):
    """Run a command as a user would and return what it printed, with its exit status."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1', **environment}
    return subprocess.run([str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True)


def code_blocks(document, language='python'):
    """Return the code blocks of a Markdown file in that language, as they stand."""
    return re.findall(rf'^```{language}\n(.*?)^```$', (REPOSITORY / document).read_text(), re.MULTILINE | re.DOTALL)
