"""A file of each kind through each tool that takes one: the right result, or one clear message and nothing done."""

import pathlib
import pickle
import re

import pytest
import torch
from mmengine.logging import HistoryBuffer
from narrow import thinner, torchvision_weights
from support import CONFIGS, TINY_DIGITS
from torchvision.models import resnet50

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


@pytest.fixture(scope='module')
def weights(narrow):
    torch.manual_seed(0)
    return torchvision_weights()


def stock_checkpoint(weights):
    """What mmengine's Runner writes without our hook."""
    backbone = {f'backbone.{name}': value for name, value in weights.items() if not name.startswith(('fc', 'Aux'))}
    head = {f'head.{name}': value for name, value in weights.items() if name.startswith(('fc', 'Aux'))}
    hub = dict(log_scalars={'train/loss': HistoryBuffer([1.0], [1])}, runtime_info={'iter': 1}, resumed_keys={})
    return dict(state_dict={**backbone, **head}, meta=dict(epoch=1, iter=1), message_hub=hub)


def write(kind, path, weights):
    if kind == 'text':
        path.write_text('this is no checkpoint')
    elif kind == 'pickle':
        path.write_bytes(pickle.dumps({'state_dict': Evil(path.with_name('created'))}))
    elif kind == 'torch-pickle':
        torch.save({'state_dict': Evil(path.with_name('created'))}, path)
    elif kind == 'truncated':
        torch.save(weights, path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        name = 'Mixed_6b.branch1x1.conv.weight'
        content = {
            'torchvision': lambda: weights,
            'stock': lambda: stock_checkpoint(weights),
            'ResNet-50': lambda: resnet50(weights=None, num_classes=10).state_dict(),
            'missing': lambda: {key: value for key, value in weights.items() if key != name},
            'shape': lambda: {**weights, name: weights[name][:-1]},
        }[kind]()
        torch.save(content, path)
    return path


WRONG = {
    'text': r'is not a PyTorch',
    'pickle': r'was not opened: it needs pathlib\.Path\.touch, which is more than tensors and plain containers',
    'torch-pickle': r'was not opened: it needs pathlib\.\S+, which is more than tensors and plain containers',
    'truncated': r'damaged or truncated|damaged, truncated',
    'ResNet-50': r'is not Inception V3',
    'missing': r'missing: backbone\.Mixed_6b\.branch1x1\.conv\.weight',
    'shape': rf'of another shape: backbone\.Mixed_6b\.branch1x1\.conv\.weight: \({thinner(192) - 1}, {thinner(768)}, 1',
}

COMMANDS = {
    'test.py': lambda file: ('test.py', DIGITS, file, '--cfg-options', *TINY_DIGITS),
    'train.py': lambda file: ('train.py', DIGITS, '--cfg-options', *TINY_DIGITS, f'load_from={file}'),
    'convert_weights.py': lambda file: ('convert_weights.py', file, 'converted.pth'),
}


# All read by the same functions: each kind of file through one command, and some through those that build a model.
@pytest.mark.parametrize(
    ('kind', 'command'),
    [
        *((kind, 'convert_weights.py') for kind in WRONG),
        *((kind, 'test.py') for kind in ('pickle', 'missing')),
        *((kind, 'train.py') for kind in ('torch-pickle', 'ResNet-50')),
    ],
)
def test_a_wrong_file_is_refused(tool, tmp_path, weights, kind, command):
    file = write(kind, tmp_path / f'{kind}.pth', weights)
    result = tool(*COMMANDS[command](file))
    assert result.returncode == 1, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    message = result.stderr[result.stderr.index('error: ') :]
    assert len(message.strip().splitlines()) <= 2
    assert file.name in message
    assert re.search(WRONG[kind], message), message
    assert 'accuracy/top1' not in result.stdout
    assert not (tmp_path / 'created').exists()
    assert not (tmp_path / 'converted.pth').exists()


@pytest.mark.parametrize('kind', ['torchvision', 'stock'])
def test_a_published_file_and_a_stock_checkpoint_are_tested_as_they_are(tool, tmp_path, weights, kind):
    file = write(kind, tmp_path / 'weights.pth', weights)
    tested = tool(*COMMANDS['test.py'](file))
    assert tested.returncode == 0, tested.stderr
    assert 'accuracy/top1' in tested.stdout


@pytest.mark.parametrize('kind', ['torchvision', 'stock'])
def test_training_starts_from_a_published_file(tool, tmp_path, weights, kind):
    file = write(kind, tmp_path / 'weights.pth', weights)
    options = (
        *(f'load_from={file}', 'optim_wrapper.optimizer.lr=0.0', 'optim_wrapper.optimizer.weight_decay=0.0'),
        *('train_dataloader.batch_size=4', 'train_dataloader.dataset.indices=4', 'val_dataloader.dataset.indices=4'),
        'default_hooks.checkpoint.save_best=None',
    )
    trained = tool('train.py', DIGITS, '--work-dir', 'work', '--cfg-options', *TINY_DIGITS, *options)
    assert trained.returncode == 0, trained.stderr
    state_dict = torch.load(tmp_path / 'work/epoch_1.pth', weights_only=True)['state_dict']
    name = 'Mixed_6b.branch1x1.conv.weight'
    torch.testing.assert_close(state_dict[f'backbone.{name}'], weights[name])


def test_resume_from_weights_alone_is_refused(tool, tmp_path, weights):
    file = write('torchvision', tmp_path / 'weights.pth', weights)
    result = tool('train.py', DIGITS, '--resume', file, '--cfg-options', *TINY_DIGITS)
    assert result.returncode == 1
    assert 'expected a checkpoint of a training run, got one without meta.epoch' in result.stderr
