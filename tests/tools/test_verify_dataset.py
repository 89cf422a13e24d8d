import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import CONFIGS, REPOSITORY

FOLDER = CONFIGS / 'inception-v3_1xb32_folder.py'

pytestmark = pytest.mark.slow


@pytest.mark.parametrize('name', ['images', 'a' * 200])
def test_a_folder_without_broken_files_is_fine(tool, image_folder, name):
    result = tool('verify_dataset.py', image_folder.rename(image_folder.with_name(name)))
    assert result.returncode == 0, result.stderr
    assert result.stdout == '36 files checked, 0 broken\n'
    assert '36/36 files in 0:00:' in result.stderr


def test_what_is_not_used_is_counted_and_a_table_is_read(tool, image_folder, tmp_path):
    for name in ('train/ant/notes.txt', 'train/ant/Thumbs.db', '__MACOSX/train/._0.jpg'):
        (image_folder / name).parent.mkdir(parents=True, exist_ok=True)
        (image_folder / name).write_text('no image')
    folder = image_folder / 'train'
    (folder / 'photos.csv').write_text('path,label\nant/0.jpg,ant\nbee/0.jpg,bee\ncat/0.jpg,cat\n')
    result = tool('verify_dataset.py', image_folder, folder / 'photos.csv', FOLDER, '--data', image_folder)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == [
        f'data: {image_folder}: 3 classes; images: 24 to train on, 12 to validate (its folders train, val)',
        'not used: 1 .csv, 1 .db, 1 .txt',
        f'{image_folder}: not used: 1 .csv, 1 .db, 1 .txt',
        '75 files checked, 0 broken',
    ]


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
        (str(image_folder / 'val/bee/1.jpg'), 'it is not an image of a known format'),
    ]
    # Of the second run, which refuses all images for validation, and for testing besides with their own limit.
    assert '48 files checked, 14 broken' in result.stdout
    assert result.stderr.strip().endswith('error: 14 of 48 image files cannot be decoded')
    assert len((tmp_path / 'r.txt').read_text().splitlines()) == 14


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        (['nowhere'], 2, 'nowhere: expected a config file'),
        (['empty'], 1, r'empty: expected images \(.*\), found none'),
        (['.', '--out', 'r.csv'], 2, 'expected a file ending in .json or .txt'),
        (['.', '--out', 'images/train/ant/0.jpg/r.json'], 1, 'expected a folder, but .*0.jpg is not one'),
        (['.', '--workers', '0'], 2, 'expected a number of at least 1, got 0'),
        ([FOLDER], 2, 'needs --data PATH'),
    ],
)
def test_wrong_calls(tool, image_folder, arguments, status, message):
    (image_folder.parent / 'empty').mkdir()
    result = tool('verify_dataset.py', *arguments)
    assert result.returncode == status
    assert 'checked' not in result.stdout
    assert re.search(message, result.stderr)
    assert 'Traceback' not in result.stderr


@pytest.fixture
def slow_folder(image_folder):
    """A text file of 12 million numbers, which Pillow decodes for many seconds."""
    (image_folder / 'train/ant/slow.ppm').write_bytes(b'P3 2000 2000 255\n' + b'0 ' * 12_000_000)
    return image_folder


def children_of(process):
    """Return the two processes that decode, as soon as both are there."""
    for _ in range(1200):
        tasks = Path(f'/proc/{process.pid}/task').glob('*/children')
        children = [int(child) for task in tasks for child in task.read_text().split()]
        if len(children) == 2:
            time.sleep(1)
            return children
        time.sleep(0.1)
    raise AssertionError('nothing is decoded')


def ends(process):
    for _ in range(600):
        if not Path(f'/proc/{process}').exists():
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(('kill', 'status'), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_however_it_ends_no_process_stays(slow_folder, kill, status):
    command = [sys.executable, REPOSITORY / 'tools/verify_dataset.py', slow_folder, '--workers', '2']
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        children = children_of(process)
        if kill == signal.SIGINT:  # as from a terminal, to all of them
            os.killpg(process.pid, kill)
        else:
            process.kill()
        assert process.wait(timeout=60) == status
        assert 'Traceback' not in process.stderr.read()
    assert all(ends(child) for child in children)


def test_names_that_no_terminal_can_show_are_escaped_and_reported_exactly(tool, image_folder, tmp_path):
    names = [b'caf\xe9.jpg', b'\x1b[31mred.jpg', b'[bold]x[.jpg', 'Ünï.jpg'.encode()]
    folder = os.path.join(os.fsencode(tmp_path), b'bad\xff[', b']')
    os.mkdir(os.path.dirname(folder))
    os.rename(image_folder, folder)
    for name in names:
        with open(os.path.join(folder, b'val', name), 'wb'):
            pass
    for out in ('r.txt', 'r.json'):
        result = tool('verify_dataset.py', os.fsdecode(folder), '--out', out)
        assert result.returncode == 1
        assert 'Traceback' not in result.stderr
        assert '40 files checked, 4 broken' in result.stdout
        assert f'{tmp_path}/bad\\xff[/]/val/caf\\xe9.jpg: the file is empty\n' in result.stdout
        assert r'val/\x1b[31mred.jpg: the file is empty' in result.stdout
        assert 'val/Ünï.jpg: the file is empty' in result.stdout
    paths = sorted(os.path.join(folder, b'val', name) for name in names)
    assert (tmp_path / 'r.txt').read_bytes() == b''.join(path + b'\n' for path in paths)
    report = json.loads((tmp_path / 'r.json').read_text())
    assert [os.fsencode(image['path']) for image in report['images']] == paths
