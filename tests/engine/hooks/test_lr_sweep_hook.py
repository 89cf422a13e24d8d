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


RATES = np.geomspace(1e-6, 1, 101)


def curve(fall, lowest, noise=0.0, seed=0):
    """A loss that falls around one rate, is lowest at another and diverges then."""
    losses = 3 - np.tanh(2 * np.log10(RATES / fall)) + 50 * np.maximum(0, np.log10(RATES / lowest))
    return losses + np.random.default_rng(seed).normal(0, noise, len(losses))


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('noise', [0, 0.1, 0.3])
@pytest.mark.parametrize('fall', [1e-4, 1e-3, 1e-2])
def test_the_rate_is_that_of_the_steepest_fall(fall, noise, seed):
    found = best_rate(RATES, curve(fall, 30 * fall, noise, seed))
    assert fall / 3 < found.rate < fall * 3
    assert found.rule == 'where the loss falls most steeply'


def test_a_fall_into_the_divergence_is_seen():
    """As of a network from scratch, which falls by little, and diverges where it would fall by more."""
    rates = np.geomspace(1e-6, 1, 100)
    losses = np.where(rates < 1e-2, 2.3 - 0.3 * np.maximum(0, np.log10(rates / 1e-3)), 8.0)
    losses += np.random.default_rng(0).normal(0, 0.08, 100)
    assert 1e-3 < best_rate(rates, losses).rate < 1e-2


@pytest.mark.parametrize('seed', range(5))
def test_without_a_visible_fall_it_is_a_third_of_the_rate_at_which_the_loss_rises(seed):
    losses = np.random.default_rng(seed).normal(2.3, 0.1, len(RATES)) + np.where(RATES < 9.9e-3, 0, 5)
    assert best_rate(RATES, losses) == (
        0.0035,
        'a third of that from which on the loss rises, as it falls by less than single batches scatter',
    )


@pytest.mark.parametrize('losses', [np.linspace(1, 2, 40), np.ones(40), np.ones(5)], ids=['rising', 'flat', 'few'])
def test_a_sweep_that_shows_no_rate(losses):
    assert best_rate(np.geomspace(1e-6, 1, len(losses)), losses) is None


def test_noise_is_neither_a_fall_nor_a_rise():
    found = [best_rate(RATES, np.random.default_rng(seed).normal(2.3, 0.1, len(RATES))) for seed in range(200)]
    assert sum(rate is not None for rate in found) <= 4
