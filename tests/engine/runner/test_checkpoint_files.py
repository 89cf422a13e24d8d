import os
import zipfile

import pytest
import torch

from mmpretrain_inception.engine.runner.checkpoint_files import (
    find_damage,
    list_checkpoints,
    newest_whole_checkpoint,
    set_aside_checkpoints,
)
from mmpretrain_inception.errors import InputError

DAMAGES = {
    'empty': lambda content: b'',
    'cut at a quarter': lambda content: content[: len(content) // 4],
    'cut at the end': lambda content: content[:-1],
    'a byte flipped': lambda content: content[:1500] + bytes([content[1500] ^ 1]) + content[1501:],
    'another file': lambda content: b'this is no checkpoint',
}


@pytest.fixture
def folder(tmp_path):
    """A work directory with three checkpoints, one a second."""
    for number in (1, 2, 10):
        path = tmp_path / f'epoch_{number}.pth'
        torch.save({'weights': torch.arange(1000)}, path)
        os.utime(path, (number, number))
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_10.pth'))
    torch.save({}, tmp_path / 'best_accuracy_top1_epoch_1.pth')
    return tmp_path


def names(paths):
    return [path.name for path in paths]


def test_the_newest_comes_first_and_no_file_but_those_of_the_run(folder):
    assert names(list_checkpoints(folder)) == ['epoch_10.pth', 'epoch_2.pth', 'epoch_1.pth']


def test_the_last_checkpoint_is_what_the_run_says_it_is(folder):
    (folder / 'last_checkpoint').write_text('elsewhere/epoch_1.pth')
    assert names(list_checkpoints(folder)) == ['epoch_1.pth', 'epoch_10.pth', 'epoch_2.pth']


@pytest.mark.parametrize(
    'content',
    [
        *('', '/etc/passwd', '../outside.pth', 'gone.pth', '\x00', 300 * 'x' + '.pth', 'epoch_1.pth\nepoch_2.pth'),
        *('epoch_1.pth\x00', '.', '..', '/', '~', 10_000 * '/' + 'epoch_1.pth', 'best_accuracy_top1_epoch_1.pt'),
    ],
)
def test_a_note_that_names_no_checkpoint_of_the_folder_is_passed_over(folder, content):
    torch.save({}, folder.parent / 'outside.pth')
    (folder / 'last_checkpoint').write_text(content)
    assert names(list_checkpoints(folder)) == ['epoch_10.pth', 'epoch_2.pth', 'epoch_1.pth']


@pytest.mark.parametrize('damage', DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_is_skipped_with_a_warning(folder, damage, warnings_logged):
    path = folder / 'epoch_10.pth'
    path.write_bytes(damage(path.read_bytes()))
    assert newest_whole_checkpoint(folder).name == 'epoch_2.pth'
    assert len(warnings_logged) == 1
    assert 'epoch_10.pth is damaged' in warnings_logged[0]


def test_without_a_whole_one_the_error_names_the_damaged(folder):
    for number in (1, 2, 10):
        path = folder / f'epoch_{number}.pth'
        path.write_bytes(b'')
        os.utime(path, (number, number))
    with pytest.raises(InputError, match=r'all there are damaged \(epoch_10\.pth, epoch_2\.pth, epoch_1\.pth\)'):
        newest_whole_checkpoint(folder)


def test_without_any_the_error_says_so(tmp_path):
    with pytest.raises(InputError, match='but there is none'):
        newest_whole_checkpoint(tmp_path)


def test_a_whole_file_has_no_damage(folder):
    assert find_damage(folder / 'epoch_1.pth') is None


def test_a_file_that_would_inflate_is_damaged_without_being_read(tmp_path):
    with zipfile.ZipFile(tmp_path / 'epoch_1.pth', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data/0', bytes(10_000_000))

    assert 'compressed' in find_damage(tmp_path / 'epoch_1.pth')


@pytest.mark.parametrize('kind', ['folder', 'pipe', 'dangling link', 'loop', 'bytes'])
def test_a_note_that_is_no_text_is_passed_over(folder, kind):
    note = folder / 'last_checkpoint'
    note.unlink()
    if kind == 'folder':
        note.mkdir()
    elif kind == 'pipe':
        os.mkfifo(note)
    elif kind == 'bytes':
        note.write_bytes(bytes(range(256)) * 1000)
    else:
        note.symlink_to('gone' if kind == 'dangling link' else note.name)
    assert newest_whole_checkpoint(folder).name == 'epoch_10.pth'


def test_a_note_that_may_not_be_read_is_passed_over_with_a_warning(folder, monkeypatch, warnings_logged):
    def refuse(path, *args, **kwargs):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr('pathlib.Path.open', refuse)
    assert names(list_checkpoints(folder)) == ['epoch_10.pth', 'epoch_2.pth', 'epoch_1.pth']
    assert 'last_checkpoint cannot be read (Permission denied)' in warnings_logged[0]


@pytest.mark.parametrize('kind', ['folder', 'dangling link', 'pipe'])
def test_what_bears_the_name_of_a_checkpoint_and_is_no_file_is_passed_over(folder, kind):
    path = folder / 'epoch_11.pth'
    {'folder': path.mkdir, 'dangling link': lambda: path.symlink_to('gone'), 'pipe': lambda: os.mkfifo(path)}[kind]()
    (folder / 'last_checkpoint').write_text(str(path))
    assert newest_whole_checkpoint(folder).name == 'epoch_10.pth'


def test_only_what_a_run_writes_is_set_aside(folder):
    others = ('pretrained.pth', 'epoch_1.pth.bak', 'my_epoch_1.pth', 'best.pth')
    written = ('iter_5.pth', 'best_accuracy_top1_epoch_1-0123abcd.pth', 'nonfinite_iter_3.pth')
    for name in (*others, *written):
        (folder / name).write_bytes(b'')
    moved = set_aside_checkpoints(folder, 'before')
    assert {path.name for path in folder.glob('*.*')} == set(others)
    assert {*written, 'epoch_1.pth', 'best_accuracy_top1_epoch_1.pth'} <= set(names(moved))
    assert all(path.parent == folder / 'before' and path.exists() for path in moved)
    assert set_aside_checkpoints(folder, 'again') == []
    assert not (folder / 'again').exists()
