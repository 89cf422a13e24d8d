import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from support import CONFIGS, REPOSITORY

FOLDER = CONFIGS / 'inception-v3_1xb32_folder.py'

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('name', ['images', 'a' * 200])
def test_a_folder_without_broken_files_is_fine(tool, image_folder, name):
    result = tool('verify_dataset.py', image_folder.rename(image_folder.with_name(name)))
    assert result.returncode == 0, result.stderr
    assert result.stdout == '36 files checked, 0 broken\n'
    assert '100%' in result.stderr


def test_broken_files_of_a_config_are_named_and_reported(tool, image_folder, tmp_path):
    (image_folder / 'train/ant/0.jpg').write_bytes(b'')
    (image_folder / 'val/bee/1.jpg').write_text('text')
    huge = '--cfg-options', 'val_dataloader.dataset.pipeline.0.max_pixels=7000'
    for out, options in (('r.json', ()), ('r.txt', huge)):
        result = tool('verify_dataset.py', FOLDER, '--data', image_folder, '--out', out, *options)
        assert result.returncode == 1
        assert 'Traceback' not in result.stderr
    report = json.loads((tmp_path / 'r.json').read_text())
    assert (report['files'], report['broken']) == (36, 2)
    assert [(image['path'], image['reason']) for image in report['images']] == [
        (str(image_folder / 'train/ant/0.jpg'), 'the file is empty'),
        (str(image_folder / 'val/bee/1.jpg'), 'it is no image of a known format'),
    ]
    # Of the second run, which refuses all images for validation, and for testing besides with their own limit.
    assert '48 files checked, 14 broken' in result.stdout
    assert result.stderr.strip().endswith('error: 14 of 48 image files cannot be decoded')
    assert len((tmp_path / 'r.txt').read_text().splitlines()) == 14


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (['nowhere'], 2, 'nowhere: a config file was expected'),
        (['.'], 1, r'\.: images \(.*\) were expected, but there is none'),
        (['.', '--out', 'r.csv'], 2, 'a file ending in .json or .txt was expected'),
        (['.', '--workers', '0'], 2, 'at least 1 was expected'),
        ([FOLDER], 2, 'needs --data DIR'),
    ],
)
def test_wrong_calls(tool, arguments, status, message):
    result = tool('verify_dataset.py', *arguments)
    assert result.returncode == status
    assert re.search(message, result.stderr)
    assert 'Traceback' not in result.stderr


def test_ctrl_c_ends_it_with_all_its_processes(image_folder):
    pipe = image_folder / 'train/ant/pipe.jpg'
    os.mkfifo(pipe)
    command = [sys.executable, REPOSITORY / 'tools/verify_dataset.py', image_folder, '--workers', '2']
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        # A process waits for its content as long as it is held open here.
        writer = hold_open(pipe)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert 'Traceback' not in process.stderr.read()
    os.close(writer)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def hold_open(pipe):
    """Open a pipe as soon as there is a reader."""
    for _ in range(1200):
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.1)
    raise AssertionError('nobody reads the pipe')
