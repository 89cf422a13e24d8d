"""Every command that takes a checkpoint refuses a hostile one in one or two lines, and nothing in it runs."""

import pytest
import torch
from hostile import created, write
from narrow import torchvision_weights
from support import CONFIGS, REPOSITORY, TINY_DIGITS

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
OPTIONS = ('--cfg-options', *TINY_DIGITS)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]

COMMANDS = {
    'test of an ensemble': lambda file: ('test.py', DIGITS, file, file, *OPTIONS),
    'load_from': lambda file: ('train.py', DIGITS, *OPTIONS, f'load_from={file}'),
    'resume': lambda file: ('train.py', DIGITS, '--resume', file, *OPTIONS),
    'convert': lambda file: ('convert_weights.py', file, 'converted.pth'),
    'export': lambda file: ('export.py', DIGITS, file, '--to', 'torch', '--out', 'exported.pt2'),
}
# test_weight_files.py has the other commands. All read by the same functions, on which tests/weights tries every file.
CASES = [
    ('test of an ensemble', 'hash bomb'),
    ('resume', 'in the optimizer'),
    ('export', 'old format'),
]


@pytest.mark.parametrize(('command', 'kind'), CASES)
def test_refused_and_nothing_runs(tool, tmp_path, command, kind):
    file = write(kind, tmp_path / 'hostile.pth')
    result = tool(*COMMANDS[command](file))
    assert result.returncode == 1, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    message = result.stderr[result.stderr.index('error: ') :]
    assert len(message.strip().splitlines()) <= 2
    assert 'hostile.pth' in message
    assert not created(file).exists()
    assert not list(tmp_path.glob('converted*')) + list(tmp_path.glob('exported*'))


def test_a_resumed_run_executes_no_config_of_its_checkpoint_and_removes_nothing_outside(tool, tmp_path):
    """With mmengine alone, the first runs a line of Python and the second removes a folder."""
    trained = tool('train.py', DIGITS, '--work-dir', 'work', *OPTIONS)
    assert trained.returncode == 0, trained.stderr
    checkpoint = torch.load(tmp_path / 'work/epoch_1.pth', weights_only=True)
    precious = tmp_path / 'elsewhere/precious.pth'
    precious.parent.mkdir()
    precious.touch()
    checkpoint['meta']['config'] = f'open({str(tmp_path / "created")!r}, "w")'
    checkpoint['message_hub']['runtime_info'].update(best_ckpt=str(precious), best_score=-1.0)
    torch.save(checkpoint, tmp_path / 'hostile.pth')
    result = tool(
        'train.py', DIGITS, '--work-dir', 'work', '--resume', 'hostile.pth', *OPTIONS, 'train_cfg.max_epochs=2'
    )
    assert result.returncode == 0, result.stderr
    assert precious.exists()
    assert not (tmp_path / 'created').exists()
    assert len(list((tmp_path / 'work').glob('best_*.pth'))) >= 1


AUDIT = """
import sys
sys.path.insert(0, {tools!r})
names = set()
sys.addaudithook(lambda event, arguments: names.add('.'.join(arguments)) if event == 'pickle.find_class' else None)
import runpy
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name='__main__')
finally:
    print('unpickled:', *sorted(names))
"""


@pytest.mark.parametrize('command', ['load_from', 'convert'])
def test_no_command_opens_a_pickle_with_pythons_unpickler(tool, tmp_path, command):
    torch.save(torchvision_weights(), tmp_path / 'weights.pth')
    (tmp_path / 'audit.py').write_text(AUDIT.format(tools=str(REPOSITORY / 'tools')))
    name, *arguments = COMMANDS[command]('weights.pth')
    # Loaders and their workers send each other pickles.
    if command != 'convert':
        loaders = ('train_dataloader', 'val_dataloader', 'test_dataloader')
        single = ('num_workers=0', 'persistent_workers=False')
        arguments += [f'{loader}.{part}' for loader in loaders for part in single]
        arguments += ['train_dataloader.batch_size=4', 'train_dataloader.dataset.indices=4']
        arguments += ['val_dataloader.dataset.indices=4', 'default_hooks.checkpoint.save_best=None']
    result = tool(tmp_path / 'audit.py', REPOSITORY / 'tools' / name, *arguments)
    assert result.returncode == 0, result.stderr
    names = result.stdout[result.stdout.rindex('unpickled:') :].split()[1:]
    assert names == []
