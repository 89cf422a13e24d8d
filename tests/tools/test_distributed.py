"""A process that dies takes the job down, soon and with its reason."""

import os
import subprocess
import sys

import narrow as narrow_networks
import pytest
from support import CONFIGS, REPOSITORY, TINY_DIGITS, free_port

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
# A job that hung would wait for half an hour.
SECONDS = 150

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]

# A hook in the second process, by where it strikes.
HOOK = """
import os, signal
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class DieHook(Hook):
    def __init__(self, where, how):
        self.where, self.how = where, how

    def _strike(self, where, rank=os.environ.get('RANK')):
        if rank == '1' and where == self.where:
            if self.how == 'kill':
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError('struck down in ' + where)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self._strike('training' if runner.iter else 'start')

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        self._strike('validation')
"""


@pytest.mark.parametrize(
    ('where', 'how', 'reason'),
    [
        ('training', 'kill', 'SIGKILL'),
        ('validation', 'raise', 'struck down in validation'),
    ],
)
def test_the_job_ends_with_the_reason(tmp_path, where, how, reason):
    (tmp_path / 'die_hook.py').write_text(HOOK)
    (tmp_path / 'config.py').write_text(
        f'_base_ = {str(DIGITS)!r}\ncustom_imports = dict(imports=["die_hook"])\n'
        f'custom_hooks = [dict(type="DieHook", where={where!r}, how={how!r})]\n'
    )
    paths = narrow_networks.environment()['PYTHONPATH']
    environment = dict(OMP_NUM_THREADS='1', PYTHON=sys.executable, PORT=free_port())
    result = subprocess.run(
        [
            *('bash', REPOSITORY / 'tools/dist_train.sh', 'config.py', '2', '--work-dir', 'work'),
            *('--cfg-options', *TINY_DIGITS, 'train_dataloader.batch_size=8', 'val_dataloader.batch_size=8'),
        ],
        cwd=tmp_path,
        env={**os.environ, **environment, 'PYTHONPATH': os.pathsep.join((str(tmp_path), paths))},
        capture_output=True,
        text=True,
        timeout=SECONDS,  # raises
    )
    assert result.returncode != 0
    assert reason in result.stdout + result.stderr
