import pytest
from tiny_training import train


@pytest.mark.parametrize(
    ('enabled', 'accumulate', 'rate'), [(False, 4, 0.1), (True, 1, 0.1 * 2 / 8), (True, 2, 0.1 * 4 / 8), (True, 4, 0.1)]
)
def test_the_rate_follows_the_images_of_a_step(tmp_path, enabled, accumulate, rate):
    scaling = dict(enable=enabled, base_batch_size=8)
    runner = train(tmp_path / f'{enabled}{accumulate}', accumulate=accumulate, auto_scale_lr=scaling)
    assert runner.optim_wrapper.optimizer.param_groups[0]['lr'] == pytest.approx(rate)
    # What is dumped stays as it was, so that a run from it scales alike.
    assert scaling == dict(enable=enabled, base_batch_size=8)
