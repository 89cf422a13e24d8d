import subprocess
import sys
import zipfile

import pytest
from support import REPOSITORY, run

import mmpretrain_inception_command as command
from mmpretrain_inception.apis.commands import same_command


def call(*arguments, cwd):
    return run(sys.executable, '-m', command.__name__, *arguments, cwd=cwd, PYTHONPATH=str(REPOSITORY))


def test_every_tool_for_users_is_a_command():
    # The benchmark needs the repository; the others are parts of tools.
    others = {'benchmark', 'arguments', 'huge_pages'}
    assert {path.stem for path in (REPOSITORY / 'tools').glob('*.py')} - others <= set(command.COMMANDS)


def test_help_lists_the_commands_without_importing_anything(tmp_path):
    script = (
        f'import sys, {command.__name__} as c; c.main(); print("torch" in sys.modules or "mmengine" in sys.modules)'
    )
    result = run(sys.executable, '-c', script, cwd=tmp_path, PYTHONPATH=str(REPOSITORY))
    assert 'predict' in result.stdout
    assert result.stdout.endswith('False\n')


@pytest.mark.parametrize(
    ('arguments', 'status', 'printed'),
    [
        (('train', '--help'), 0, 'usage: mmpretrain-inception train'),
        (('verify-dataset', '--help'), 0, 'usage: mmpretrain-inception verify_dataset'),
        (('predcit',), 2, 'error: predcit: there is no such command; did you mean predict?'),
        (('x',), 2, 'error: x: there is no such command; mmpretrain-inception --help lists the commands'),
        (('predict', 'model'), 2, 'required: INPUT\nmmpretrain-inception predict --help lists the options'),
        (('--version',), 0, 'mmpretrain-inception 0.'),
    ],
    ids=str,
)
def test_a_command_is_the_tool_of_its_name(arguments, status, printed, tmp_path):
    result = call(*arguments, cwd=tmp_path)
    assert result.returncode == status
    assert printed in result.stdout + result.stderr
    assert 'Traceback' not in result.stderr


def test_the_next_command_is_spelt_like_this_one(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['mmpretrain-inception train', 'c.py', '--data', 'my images'])
    assert same_command('--resume') == "mmpretrain-inception train c.py --data 'my images' --resume"


@pytest.mark.slow
def test_the_wheel_has_the_command_and_its_tools(tmp_path):
    build = [
        sys.executable,
        '-m',
        'pip',
        'wheel',
        '-q',
        '--no-deps',
        '--no-build-isolation',
        '-w',
        tmp_path,
        REPOSITORY,
    ]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob('*.whl')
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / 'site')
        (entry,) = (name for name in archive.namelist() if name.endswith('entry_points.txt'))
        assert 'mmpretrain-inception = mmpretrain_inception_command:main' in archive.read(entry).decode()
    result = run(
        sys.executable, '-m', command.__name__, 'predict', '--help', cwd=tmp_path, PYTHONPATH=str(tmp_path / 'site')
    )
    assert result.stdout.startswith('usage: mmpretrain-inception predict'), result.stderr
