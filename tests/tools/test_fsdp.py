import re

import pytest
import torch
from support import CONFIGS, TINY_DIGITS, run_tool

# No average of the parameters, which cannot be sharded, and SGD, whose state tells the gradients.
CONFIG = """
_base_ = '{recipe}'
custom_hooks = []
optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr={rate}, momentum=0.9))
param_scheduler = None
{strategy}
"""
DOUBLE = """
_base_ = '{base}'
custom_imports = dict(imports=['double_precision'])
model = dict(type='DoubleClassifier')
"""
LEARNING_RATE = 1e-3
SMALL = (*TINY_DIGITS, 'train_dataloader.batch_size=8', 'train_dataloader.dataset.indices=32')

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow'), pytest.mark.xdist_group('sharded')]


@pytest.fixture(scope='module')
def sharded(tmp_path_factory):
    """A folder with a config that shards, one that does not, and two epochs of the first in two processes."""
    folder = tmp_path_factory.mktemp('sharded')
    recipe = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
    runtime = (CONFIGS.parent / '_base_' / 'fsdp_runtime.py').read_text()
    strategy = runtime[runtime.index('runner_type') :]
    for name, part in (('whole.py', ''), ('sharded.py', strategy)):
        (folder / name).write_text(CONFIG.format(recipe=recipe, strategy=part, rate=LEARNING_RATE))
        (folder / f'double_{name}').write_text(DOUBLE.format(base=name))
    result = train(folder, 'sharded.py', epochs=2)
    assert result.returncode == 0, result.stderr
    return folder, result


def train(folder, config, *options, epochs, work_dir='work', settings=()):
    return run_tool(
        *('train.py', config, '--work-dir', work_dir, *options, '--verbose', '--launcher', 'pytorch'),
        *('--cfg-options', *SMALL, f'train_cfg.max_epochs={epochs}', *settings),
        cwd=folder,
        ranks=2,
    )


def load(path):
    return torch.load(path, weights_only=True)


def accuracy(output):
    return re.findall(r'accuracy/top1: ([\d.]+)', output)[-1]


def test_gradients_are_those_of_plain_data_parallelism(sharded):
    # In float64: an untrained network amplifies rounding, which differs with the processor's kernels. What remains is
    # 1e-16 a number, amplified a million times at most.
    folder, _ = sharded
    options = ('train_dataloader.dataset.indices=16',)
    for config, work_dir in (('double_sharded.py', 'shares'), ('double_whole.py', 'plain')):
        result = train(folder, config, epochs=1, work_dir=work_dir, settings=options)
        assert result.returncode == 0, result.stderr
    shares, plain = load(folder / 'shares/epoch_1.pth'), load(folder / 'plain/epoch_1.pth')
    # The plain optimizer numbers its parameters.
    names = [name for name in plain['state_dict'] if name.endswith(('weight', 'bias'))]
    for number, name in enumerate(names):
        gradient = plain['optimizer']['state'][number]['momentum_buffer']
        assert gradient.dtype == torch.float64
        difference = shares['optimizer']['state'][name]['momentum_buffer'] - gradient
        assert difference.norm() <= 1e-9 * gradient.norm(), name
        parameter = plain['state_dict'][name]
        difference = shares['state_dict'][name] - parameter
        assert difference.norm() <= 1e-9 * LEARNING_RATE * gradient.norm() + 1e-14 * parameter.norm(), name


def test_stopped_and_resumed_equals_uninterrupted(sharded):
    folder, _ = sharded
    for options, epochs in ((), 1), (('--resume',), 2):
        result = train(folder, 'sharded.py', *options, epochs=epochs, work_dir='resumed')
        assert result.returncode == 0, result.stderr
    expected, resumed = load(folder / 'work/epoch_2.pth'), load(folder / 'resumed/epoch_2.pth')
    assert resumed['meta']['epoch'] == 2
    torch.testing.assert_close(resumed['state_dict'], expected['state_dict'], rtol=0, atol=0)
    torch.testing.assert_close(resumed['optimizer']['state'], expected['optimizer']['state'], rtol=0, atol=0)


def test_one_process_tests_the_whole_checkpoint(sharded):
    folder, trained = sharded
    result = run_tool('test.py', 'sharded.py', 'work/epoch_2.pth', '--verbose', '--cfg-options', *SMALL, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert accuracy(result.stdout) == accuracy(trained.stdout)
