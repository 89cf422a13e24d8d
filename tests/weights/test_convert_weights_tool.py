import os

import pytest
import torch
from mmengine.logging import HistoryBuffer
from torchvision.models import resnet50

from mmpretrain_inception.weights import fold_input_range, open_weights, to_ours
from mmpretrain_inception.weights.families.inception_v3.fid import is_fid


@pytest.fixture
def convert(tool, tmp_path):
    return lambda *arguments: tool('convert_weights.py', *arguments, cwd=tmp_path)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('a.pth',), 'arguments are required: dst'),
        (('a.pth', 'b.bin'), 'DST: expected a name that ends in .pth or .safetensors, got b.bin'),
        (('a.pth', 'b.pth', '--to', 'keras'), "invalid choice: 'keras'"),
    ],
)
def test_wrong_call_exits_with_2(convert, arguments, message):
    result = convert(*arguments)

    assert result.returncode == 2
    assert message in result.stderr


@pytest.mark.slow
def test_there_and_back_with_both_formats_is_bit_for_bit(convert, save, published, tmp_path):
    save(published, 'theirs.pth')

    for arguments in (('theirs.pth', 'ours.safetensors'), ('ours.safetensors', 'back.pth', '--to', 'torchvision')):
        result = convert(*arguments)
        assert (result.returncode, result.stderr) == (0, '')

    back = torch.load(tmp_path / 'back.pth')
    assert list(back) == list(published)
    assert all(torch.equal(back[name], published[name]) for name in published)
    assert sorted(os.listdir(tmp_path)) == ['back.pth', 'ours.safetensors', 'theirs.pth']


@pytest.mark.slow
def test_fold_is_written(convert, save, published, tmp_path):
    save(published, 'theirs.pth')

    result = convert('theirs.pth', 'folded.pth', '--fold-input-range')

    assert result.returncode == 0
    expected = fold_input_range(to_ours(published).tensors)
    tensors = open_weights(tmp_path / 'folded.pth').tensors
    assert list(tensors) == list(expected)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)


@pytest.mark.slow
def test_stock_checkpoint_is_converted_with_its_classes(convert, save, published, tmp_path):
    ours = to_ours(published).tensors
    hub = dict(log_scalars=dict(loss=HistoryBuffer([1.0], [1])))
    meta = dict(epoch=3, dataset_meta=dict(classes=['cat', 'dog']))
    save(dict(meta=meta, state_dict=ours, message_hub=hub), 'epoch_3.pth')

    result = convert('epoch_3.pth', 'plain.pth')

    assert result.returncode == 0
    plain = torch.load(tmp_path / 'plain.pth')
    assert plain['meta'] == meta
    assert all(torch.equal(plain['state_dict'][name], ours[name]) for name in ours)


@pytest.mark.slow
def test_converted_fid_weights_are_known_as_such(convert, save, published, tmp_path):
    published = {name: tensor for name, tensor in published.items() if not name.startswith('AuxLogits.')}
    published['fc.weight'], published['fc.bias'] = torch.zeros(1008, 2048), torch.zeros(1008)
    # It was never trained in PyTorch.
    published |= {name: 0 * count for name, count in published.items() if name.endswith('num_batches_tracked')}
    save(published, 'fid.pth')

    for name in ('ours.pth', 'ours.safetensors'):
        assert convert('fid.pth', name).returncode == 0
        opened = open_weights(tmp_path / name)
        weights = to_ours(opened.tensors, meta=opened.meta)
        assert weights.scheme == 'ours'
        assert is_fid(weights)


class Creates:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, 'w')


def without_one(published, folder):
    del published['Mixed_6d.branch7x7_2.conv.weight']
    torch.save(published, folder / 'wrong.pth')


def with_another_shape(published, folder):
    published['Mixed_6d.branch7x7_2.conv.weight'] = torch.zeros(160, 160, 7, 1)
    torch.save(published, folder / 'wrong.pth')


def truncated(published, folder):
    torch.save(dict(a=torch.zeros(1000)), folder / 'wrong.pth')
    os.truncate(folder / 'wrong.pth', 2000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('write', 'message'),
    [
        (lambda published, folder: None, 'wrong.pth cannot be read: No such file'),
        (
            lambda published, folder: torch.save(resnet50().state_dict(), folder / 'wrong.pth'),
            'wrong.pth is not Inception V3',
        ),
        (without_one, 'wrong.pth does not fill the model; missing: backbone.Mixed_6d.branch7x7_2.conv.weight'),
        (with_another_shape, '(160, 160, 7, 1) in the file, (160, 160, 1, 7) in the model'),
        (truncated, 'wrong.pth is damaged or truncated'),
        (lambda published, folder: (folder / 'wrong.pth').write_text('text'), 'wrong.pth is not a PyTorch'),
        (
            lambda published, folder: torch.save(dict(a=Creates(folder / 'created')), folder / 'wrong.pth'),
            'open, which is more than tensors and plain containers',
        ),
    ],
)
def test_wrong_file_exits_with_1_and_writes_nothing(convert, published, tmp_path, write, message):
    write(published, tmp_path)
    before = os.listdir(tmp_path)

    result = convert('wrong.pth', 'out.pth')

    assert result.returncode == 1
    assert result.stderr.startswith('error: ')
    assert message in result.stderr
    assert result.stderr.count('\n') == 1
    assert os.listdir(tmp_path) == before


@pytest.mark.slow
def test_folder_that_is_not_there_is_named(convert, save, published):
    save(published, 'theirs.pth')

    result = convert('theirs.pth', 'nowhere/out.pth')

    assert result.returncode == 1
    assert result.stderr == 'error: nowhere/out.pth cannot be written: No such file or directory\n'
