"""Training on numbers, some batches of which make the loss infinite."""

import re

import pytest
import torch
from processes import in_processes
from tiny_training import train

from mmpretrain_inception.engine.runner.checkpoint_files import list_checkpoints
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.message_hub import SKIPPED_BATCHES


def state(runner):
    average = next(hook for hook in runner.hooks if hasattr(hook, 'ema_model')).ema_model
    return dict(
        model=runner.model.state_dict(),
        average=average.module.state_dict(),
        optimizer=runner.optim_wrapper.state_dict(),
    )


def test_the_run_stops_with_iteration_rate_and_files_and_saves_the_state_before(tmp_path):
    with pytest.raises(
        InputError, match=r'iteration 3: the loss is nan at learning rate 0\.1, files 4\.jpg, 5'
    ) as error:
        train(tmp_path, bad=(5,))
    assert str(error.value).count('\n') == 1
    checkpoint = torch.load(tmp_path / 'nonfinite_iter_3.pth', weights_only=True)
    assert checkpoint['meta']['nonfinite']['files'] == ['4.jpg', '5.jpg']
    before = train(tmp_path / 'before', length=4)
    torch.testing.assert_close(checkpoint['optimizer'], before.optim_wrapper.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(checkpoint['state_dict'], state(before)['average'], rtol=0, atol=0)
    assert list_checkpoints(tmp_path) == []


def test_a_batch_that_is_left_out_changes_nothing(tmp_path):
    skipped = train(tmp_path / 'skipped', bad=(4,), max_skipped=1, length=6)
    without = train(tmp_path / 'without', length=4)
    torch.testing.assert_close(state(skipped), state(without), rtol=0, atol=0)
    assert skipped.message_hub.get_info(SKIPPED_BATCHES) == 1
    assert skipped.iter == 3
    losses = skipped.message_hub.get_scalar('train/loss').data[0]
    assert len(losses) == 2


def test_training_goes_on_after_it(tmp_path):
    runner = train(tmp_path, bad=(0, 5), max_skipped=2)
    assert runner.iter == 4
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())


def test_no_more_than_allowed_are_left_out(tmp_path):
    with pytest.raises(InputError, match=r'iteration 3: .*\n.*max_skipped=1 is the number'):
        train(tmp_path, bad=(0, 5), max_skipped=1)


def test_gradients_accumulated_for_the_same_step_are_dropped_with_it(tmp_path):
    # Steps after the second and the fourth batch; the second is bad.
    runner = train(tmp_path / 'a', bad=(2,), max_skipped=1, accumulate=2)
    fresh = train(tmp_path / 'b', bad=(0, 1, 2, 3), max_skipped=2, accumulate=2)
    torch.testing.assert_close(runner.model.fc.state_dict(), fresh.model.fc.state_dict(), rtol=0, atol=0)


def test_parameters_that_are_not_finite_stop_the_run_in_any_case(tmp_path):
    with pytest.raises(InputError, match=r'iteration 2: .*\nthe weights were already NaN or infinite'):
        train(tmp_path, max_skipped=9, rate=float('inf'))


def test_statistics_are_saved_in_one_call_for_each_data_type(tmp_path, monkeypatch):
    calls, copy = [], torch._foreach_copy_

    def note(places, values):
        calls.append({(place.dtype, value.dtype) for place, value in zip(places, values)})
        copy(places, values)

    monkeypatch.setattr(torch, '_foreach_copy_', note)
    train(tmp_path, length=2)
    # running_mean and running_var, then num_batches_tracked.
    assert calls == [{(torch.float32, torch.float32)}, {(torch.int64, torch.int64)}]


def train_in_process(rank, folder, max_skipped):
    """The second process meets the bad number, whose file is 5.jpg."""
    ddp = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    bad = (5,) if rank else ()
    cfg = dict(model_wrapper_cfg=ddp)
    runner = train(folder, bad=bad, max_skipped=max_skipped, launcher='pytorch', cfg=cfg)
    return runner.message_hub.get_info(SKIPPED_BATCHES), [value.tolist() for value in runner.model.parameters()]


def test_processes_leave_out_the_same_batch(tmp_path):
    first, second = in_processes(2, tmp_path, train_in_process, tmp_path / 'work', 1)
    assert first[0] == 1
    assert first == second


def test_processes_stop_together_and_name_the_files_of_the_one_that_met_them(tmp_path):
    errors = in_processes(2, tmp_path, train_in_process, tmp_path / 'work', 0)
    for error in errors:
        assert re.search(r'iteration 3: the loss is nan .*, files 4\.jpg, 5\.jpg; the state', str(error)), error
    assert (tmp_path / 'work/nonfinite_iter_3.pth').is_file()
