import pytest
import toy_run
from mmengine.hooks import Hook

from mmpretrain_inception.engine.hooks import EarlyStopHook
from mmpretrain_inception.errors import InputError


class Scripted(toy_run.Mean):
    """A metric with a value for each epoch."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def compute_metrics(self, results):
        return dict(accuracy=self.values[self.runner.epoch - 1])


class Tell(Hook):
    def before_train(self, runner):
        runner.val_loop.evaluator.metrics[0].runner = runner


VALUES = [1.0, 3.0, 2.0, 3.0, 2.5, 2.0, 9.0, 9.0]


def train(folder, resume=False, hooks=(), **settings):
    early = dict(type='mmpretrain_inception.EarlyStopHook', **settings)
    runner = toy_run.build(
        folder, resume=resume, epochs=8, hooks=(early, Tell(), *hooks), save_best='auto', rule=None, max_keep_ckpts=9
    )
    runner._val_evaluator = runner.build_evaluator([Scripted(VALUES)])
    runner.train()
    return runner


@pytest.mark.parametrize(('patience', 'epochs'), [(1, 3), (2, 4), (4, 6), (5, 8)])
def test_training_ends_after_so_many_validations_without_a_new_best(tmp_path, patience, epochs):
    assert train(tmp_path, patience=patience).epoch == epochs


def test_an_interrupted_run_goes_on_counting(tmp_path):
    def kill():
        raise toy_run.Killed

    with pytest.raises(toy_run.Killed):
        # In the fifth epoch; two validations were not better.
        train(tmp_path, patience=4, hooks=[toy_run.Do(22, kill)])
    assert train(tmp_path, resume=True, patience=4).epoch == 6
    # And nothing follows the end.
    assert train(tmp_path, resume=True, patience=4).epoch == 6


def test_a_metric_whose_name_does_not_say_what_is_better():
    with pytest.raises(InputError, match='the name does not say whether more or less of it is better'):
        EarlyStopHook(monitor='quux')
    assert EarlyStopHook(monitor='quux', rule='less').rule == 'less'
    assert EarlyStopHook(monitor='single-label/cross_entropy').rule == 'less'
