import io

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from mmpretrain_inception.engine import PlainCheckpointHook
from mmpretrain_inception.engine.hooks.plain_checkpoint_hook import to_plain


def saved_and_loaded(value):
    file = io.BytesIO()
    torch.save(value, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(
    ('value', 'plain'),
    [
        (np.float64(1.5), 1.5),
        (np.arange(3), torch.arange(3)),
        ({'a': (np.int64(2), 3)}, {'a': (2, 3)}),
        ([{'b': {3}}], [{'b': [3]}]),
        ({'step': print, 'count': 1}, {'count': 1}),
    ],
)
def test_values_become_plain_and_open_in_the_safe_unpickler(value, plain):
    loaded = saved_and_loaded(to_plain(value))
    torch.testing.assert_close(loaded, plain)


def test_a_message_hub_survives_the_way_through_a_file():
    history = HistoryBuffer([1.0, 2.0, 4.0], [1, 1, 2], max_length=10)
    checkpoint = {'message_hub': {'log_scalars': {'loss': history}, 'runtime_info': {'epoch': np.int64(3)}}}
    hook = PlainCheckpointHook()
    hook.before_save_checkpoint(None, checkpoint)
    loaded = saved_and_loaded(checkpoint)
    hook.after_load_checkpoint(None, loaded)
    restored = loaded['message_hub']['log_scalars']['loss']
    assert restored.mean(2) == history.mean(2) == 2.0
    assert restored.max_length == 10
    restored.update(5.0)
    assert restored.current() == 5.0
    assert loaded['message_hub']['runtime_info'] == {'epoch': 3}


def test_what_torch_compile_hangs_on_the_optimizers_tensors_is_left_out():
    momentum = torch.arange(3.0)
    # What torch._dynamo.mark_static_address sets.
    momentum._dynamo_static_input_type = 'guarded'
    checkpoint = {'optimizer': {'state': {0: {'exp_avg': momentum}}, 'param_groups': [{'lr': 0.1, 'params': [0]}]}}
    PlainCheckpointHook().before_save_checkpoint(None, checkpoint)
    loaded = saved_and_loaded(checkpoint)['optimizer']
    assert torch.equal(loaded['state'][0]['exp_avg'], momentum)
    assert loaded['state'][0]['exp_avg'].__dict__ == {}
    assert loaded['param_groups'] == [{'lr': 0.1, 'params': [0]}]


def test_what_is_no_container_is_left_out_with_a_warning(warnings_logged):
    assert to_plain({'object': object(), 'kept': 1}) == {'kept': 1}
    assert len(warnings_logged) == 1
    assert 'a value of type object' in warnings_logged[0]


def test_a_checkpoint_without_objects_is_saved_as_it_is():
    """As an mmengine writes it that needs no hook."""
    plain = {'loss': {'history': [1.0]}}
    checkpoint = {'meta': {'epoch': 1}, 'message_hub': {'log_scalars': plain}, 'optimizer': {'state': {}}}
    PlainCheckpointHook().before_save_checkpoint(None, checkpoint)
    assert checkpoint == {'meta': {'epoch': 1}, 'message_hub': {'log_scalars': plain}, 'optimizer': {'state': {}}}
