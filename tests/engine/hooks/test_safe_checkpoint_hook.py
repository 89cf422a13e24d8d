import os
import resource
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from toy_run import Do, Killed, build, state

from mmpretrain_inception.engine.runner.checkpoint_files import find_damage
from mmpretrain_inception.errors import InputError


def kill():
    raise Killed


def files(folder):
    found = (path.name for path in folder.iterdir() if path.is_file())
    return sorted(name for name in found if not name.startswith('.training.') and not name.endswith('.py'))


def alter(path, **info):
    content = torch.load(path, weights_only=True)
    content['message_hub']['runtime_info'].update(info)
    torch.save(content, path)


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    runner = build(tmp_path)
    runner.train()
    best = Path(runner.message_hub.get_info('best_ckpt')).name
    assert files(tmp_path) == sorted([best, 'epoch_2.pth', 'epoch_3.pth', 'last_checkpoint'])
    assert (tmp_path / 'last_checkpoint').read_text() == str(tmp_path / 'epoch_3.pth')


@pytest.mark.parametrize('keep', [1, 2])
@pytest.mark.parametrize('failing', ['epoch_3.pth', 'best_', 'last_checkpoint'])
def test_a_save_that_fails_takes_no_older_checkpoint(tmp_path, monkeypatch, failing, keep):
    """The disk is full for one file of the third epoch."""
    replace = os.replace
    first = []

    def full(source, target):
        if Path(target).name.startswith(failing):
            first.append(target)
            if failing == 'epoch_3.pth' or len(first) == 3:
                raise OSError(28, 'No space left on device')
        replace(source, target)

    class Improve(Hook):
        """Every epoch is the best."""

        def after_val_epoch(self, runner, metrics=None):
            metrics['toy/mean'] = -runner.epoch

    monkeypatch.setattr(os, 'replace', full)
    with pytest.raises(InputError, match='cannot be written: No space left on device'):
        build(tmp_path, epochs=4, max_keep_ckpts=keep, hooks=[Improve()]).train()
    left = files(tmp_path)
    assert 'epoch_2.pth' in left or 'epoch_3.pth' in left
    assert any(name.startswith('best_toy_mean_epoch_') for name in left)
    assert not any(name.endswith('.part') for name in left)
    last = Path((tmp_path / 'last_checkpoint').read_text())
    assert find_damage(last) is None
    monkeypatch.undo()
    resumed = build(tmp_path, epochs=4, resume=True, max_keep_ckpts=keep, hooks=[Improve()])
    resumed.train()
    assert resumed.epoch == 4


def test_a_file_size_limit_ends_the_run_with_one_error_and_it_resumes(tmp_path):
    whole = build(tmp_path / 'whole')
    whole.train()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))

    try:
        with pytest.raises(InputError, match=r'epoch_2\.pth cannot be written: File too large'):
            build(tmp_path / 'parts', hooks=[Do(7, limit)]).train()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (tmp_path / 'parts/last_checkpoint').read_text().endswith('epoch_1.pth')
    assert find_damage(tmp_path / 'parts/epoch_1.pth') is None
    resumed = build(tmp_path / 'parts', resume=True)
    resumed.train()
    assert state(resumed) == state(whole)


def test_what_a_killed_run_left_half_written_is_removed_at_the_next_start(tmp_path):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[Do(6, kill)]).train()
    partial = tmp_path / '.epoch_2.pth.1234.part'
    partial.write_bytes(b'half')
    os.utime(partial, (0, 0))
    build(tmp_path, resume=True).train()
    assert not partial.exists()


def test_paths_in_a_checkpoint_lead_to_no_file_outside_of_the_folder(tmp_path):
    work, outside = tmp_path / 'work', tmp_path / 'outside.pth'
    outside.write_text('precious')
    with pytest.raises(Killed):
        build(work, hooks=[Do(6, kill)]).train()
    steps = ['../outside', 1, 2, 3]
    alter(
        work / 'epoch_1.pth', best_ckpt=str(outside), best_score=1e9, keep_ckpt_ids=steps, stopped_ckpt='../outside.pth'
    )
    build(work, resume=True, filename_tmpl='{}.pth').train()
    assert outside.read_text() == 'precious'


def test_a_work_directory_that_was_moved_loses_its_old_best(tmp_path):
    with pytest.raises(Killed):
        build(tmp_path / 'before', hooks=[Do(6, kill)]).train()
    (tmp_path / 'before').rename(tmp_path / 'after')
    alter(tmp_path / 'after/epoch_1.pth', best_score=1e9)
    build(tmp_path / 'after', resume=True).train()
    assert len(list((tmp_path / 'after').glob('best_*'))) == 1
    assert not (tmp_path / 'before').exists()


def test_the_checkpoint_of_a_stop_goes_when_the_next_one_is_there(tmp_path):
    runner = build(tmp_path)
    runner.register_hook(Do(7, lambda: runner.call_hook('save_stopped', meta=dict(epoch=1, iter=7))), 'LOWEST')
    runner.register_hook(Do(8, lambda: seen.extend(files(tmp_path))), 'LOWEST')
    seen = []
    runner.train()
    assert {'iter_7.pth', 'epoch_1.pth'} <= set(seen)
    assert 'iter_7.pth' not in files(tmp_path)


def test_a_new_run_moves_the_checkpoints_of_an_earlier_one_aside_and_says_so(tmp_path):
    build(tmp_path).train()
    (tmp_path / 'pretrained.pth').write_bytes(b'')
    earlier = {path.name: path.read_bytes() for path in tmp_path.glob('*.pth')}
    build(tmp_path, epochs=1).train()
    (folder,) = tmp_path.glob('before_*')
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        name: content for name, content in earlier.items() if name != 'pretrained.pth'
    }
    assert 'pretrained.pth' in files(tmp_path)
    (log,) = [path for path in tmp_path.rglob('*.log') if 'moved' in path.read_text()]
    assert f'checkpoints of an earlier run were moved to {folder}: best_toy_mean_epoch_' in log.read_text()


def test_a_resumed_run_moves_nothing(tmp_path):
    build(tmp_path, epochs=1).train()
    build(tmp_path, epochs=2, resume=True).train()
    assert not list(tmp_path.glob('before_*'))


def test_a_run_resumed_from_elsewhere_moves_the_checkpoints_of_its_folder_aside(tmp_path):
    for name in ('one', 'two'):
        build(tmp_path / name, epochs=1).train()
    runner = build(tmp_path / 'two', epochs=2, resume=True)
    runner._load_from = str(tmp_path / 'one/epoch_1.pth')
    runner.train()
    assert len(list((tmp_path / 'two').glob('before_*/epoch_1.pth'))) == 1


def test_a_run_that_starts_from_a_checkpoint_it_moves_has_loaded_it_before(tmp_path):
    first = build(tmp_path, epochs=1)
    first.train()
    second = build(tmp_path, epochs=1)
    second._load_from = str(tmp_path / 'epoch_1.pth')
    second.train()
    assert second.iter == 5
