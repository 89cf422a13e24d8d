from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmpretrain_inception.engine.hooks.lr_sweep_hook import LRSweepHook, best_rate


def sweep(losses, start=1e-4, end=1.0, steps=None):
    """Run the hook over given losses; return it with the rates of the two groups at each step."""
    groups = [dict(lr=0.1), dict(lr=0.01)]
    runner = SimpleNamespace(
        iter=0,
        optim_wrapper=SimpleNamespace(optimizer=SimpleNamespace(param_groups=groups)),
        train_loop=SimpleNamespace(stop_training=False),
    )
    hook, rates = LRSweepHook(start, end, steps or len(losses)), []
    hook.before_train(runner)
    for index, loss in enumerate(losses):
        runner.iter = index
        hook.before_train_iter(runner, index)
        rates.append([group['lr'] for group in groups])
        hook.after_train_iter(runner, index, outputs=dict(loss=torch.tensor(loss, requires_grad=True)))
        if runner.train_loop.stop_training:
            break
    return hook, np.array(rates)


def test_rates_rise_exponentially_and_groups_keep_their_ratio():
    hook, rates = sweep([1.0] * 5)
    np.testing.assert_allclose(rates[:, 0], [1e-4, 1e-3, 1e-2, 1e-1, 1], rtol=1e-12)
    np.testing.assert_allclose(rates[:, 1], rates[:, 0] / 10, rtol=1e-12)
    assert hook.losses == pytest.approx([1.0] * 5)


@pytest.mark.parametrize('last', [float('nan'), float('inf'), 1e6])
def test_the_sweep_ends_where_the_loss_diverges(last):
    hook, rates = sweep([1.0] * 5 + [last, 1.0], steps=9)
    assert (len(rates), len(hook.rates), len(hook.losses)) == (6, 5, 5)


def test_the_rate_is_a_tenth_of_that_at_the_lowest_loss():
    rates = np.geomspace(1e-6, 1, 61)
    # It falls around 1e-3, is lowest at 1e-2 and rises then.
    losses = 3 - np.tanh(np.log10(rates / 1e-3)) + 50 * np.maximum(0, np.log10(rates / 1e-2))
    assert best_rate(rates.tolist(), losses.tolist()) == pytest.approx(1e-3)


@pytest.mark.parametrize('losses', [np.linspace(1, 2, 40), np.ones(40), np.ones(5)], ids=['rising', 'flat', 'few'])
def test_without_a_fall_there_is_no_rate(losses):
    assert best_rate(np.geomspace(1e-6, 1, len(losses)).tolist(), losses.tolist()) is None
