import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import OPTIMIZERS as MMPRETRAIN_OPTIMIZERS
from support import REPOSITORY

from mmpretrain_inception.registry import OPTIMIZERS

SCHEDULE = REPOSITORY / 'configs' / '_base_' / 'schedules' / 'imagenet_bs1600_rmsprop_100e.py'
RECIPE = Config.fromfile(SCHEDULE).optim_wrapper.optimizer
STEPS = 100
MATRIX = np.random.default_rng(0).normal(size=(30, 8))
TARGET = np.random.default_rng(1).normal(size=30)


def learning_rate(step, start):
    # Falls within the run: only then it matters whether the momentum holds it.
    return start * 0.94 ** (step // 10)


def run_torch(lr, weight_decay, **settings):
    x = torch.zeros(8, dtype=torch.float64).requires_grad_()
    optimizer = OPTIMIZERS.build(dict(params=[x], lr=lr, weight_decay=weight_decay, **settings))
    path = []
    for step in range(STEPS):
        optimizer.param_groups[0]['lr'] = learning_rate(step, lr)
        optimizer.zero_grad()
        (torch.from_numpy(MATRIX) @ x - torch.from_numpy(TARGET)).cosh().log().sum().backward()
        optimizer.step()
        path.append(x.detach().numpy().copy())
    return np.array(path)


def run_tensorflow(lr, weight_decay, alpha, momentum, eps):
    tf = pytest.importorskip('tensorflow')
    x = tf.Variable(np.zeros(8))
    step = 0
    # Numbers would become float32 first.
    optimizer = tf.compat.v1.train.RMSPropOptimizer(
        learning_rate=lambda: tf.constant(learning_rate(step, lr), tf.float64),
        decay=tf.constant(alpha, tf.float64),
        momentum=tf.constant(momentum, tf.float64),
        epsilon=tf.constant(eps, tf.float64),
    )
    path = []
    for step in range(STEPS):  # noqa: B007 - the learning rate reads it
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.math.log(tf.math.cosh(tf.linalg.matvec(MATRIX, x) - TARGET)))
            loss += weight_decay * tf.nn.l2_loss(x)
        optimizer.apply_gradients([(tape.gradient(loss, x), x)])
        path.append(x.numpy().copy())
    return np.array(path)


def largest_relative_difference(path, expected):
    return (np.abs(path - expected) / np.abs(expected)).max()


@pytest.mark.parametrize(
    'changed',
    [
        {},
        dict(momentum=0.0),
        dict(eps=1e-10, lr=0.001),
        dict(eps=1e-10, lr=0.001, momentum=0.0),
        dict(alpha=0.99),
        dict(weight_decay=0.1),
    ],
    ids=str,
)
def test_the_recipes_optimizer_is_tensorflows_over_100_steps(changed):
    settings = {**RECIPE, **changed}
    kind = settings.pop('type')
    assert largest_relative_difference(run_torch(type=kind, **settings), run_tensorflow(**settings)) <= 1e-9


def test_torchs_own_rmsprop_is_another_optimizer():
    settings = {key: value for key, value in RECIPE.items() if key != 'type'}
    assert largest_relative_difference(run_torch(type='RMSprop', **settings), run_tensorflow(**settings)) > 0.1


@pytest.mark.parametrize('registry', [OPTIMIZERS, MMPRETRAIN_OPTIMIZERS], ids=['ours', 'mmpretrain'])
def test_the_recipes_optimizer_is_found_from_every_scope(registry):
    assert registry.get(RECIPE.type).__name__ == 'RMSpropTF'
