import pytest
import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from mmpretrain.engine import VisualizationHook
from toy_run import Do, Killed, build, state

from mmpretrain_inception.engine import (
    IterationTrainLoop,
    PredictionImageHook,
    ResumableTrainLoop,
    SafeCheckpointHook,
)
from mmpretrain_inception.errors import InputError


@pytest.fixture(scope='module')
def unkilled(tmp_path_factory):
    runners = {}

    def run(**settings):
        key = str(settings)
        if key not in runners:
            runners[key] = build(tmp_path_factory.mktemp('unkilled'), **settings)
            runners[key].train()
        return state(runners[key])

    return run


def logged(work_dir):
    return ''.join(path.read_text() for path in work_dir.rglob('*.log'))


def kill(*args, **kwargs):
    raise Killed


def kill_after(iteration):
    return Do(iteration, kill)


@pytest.mark.parametrize('iteration', [1, 4, 5, 6, 10, 14, 15])
@pytest.mark.parametrize('interval', [dict(by_epoch=True), dict(by_epoch=False), dict(by_epoch=False, interval=3)])
def test_a_run_that_was_killed_ends_as_one_that_was_not(unkilled, tmp_path, iteration, interval):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[kill_after(iteration)], **interval).train()
    resumed = build(tmp_path, resume=any(tmp_path.glob('*.pth')), **interval)
    resumed.train()
    assert state(resumed) == unkilled()


@pytest.mark.parametrize('by_epoch', [True, False])
def test_a_checkpoint_waits_for_the_gradients_of_a_step(unkilled, tmp_path, by_epoch):
    """Steps end after 4, 8, 12 and 15 iterations, epochs after 5, 10 and 15."""
    with pytest.raises(Killed):
        build(tmp_path, accumulate=4, hooks=[kill_after(11)], by_epoch=by_epoch).train()
    saved = torch.load((tmp_path / 'last_checkpoint').read_text(), weights_only=True)
    assert saved['meta']['iter'] == 8
    resumed = build(tmp_path, accumulate=4, resume=True, by_epoch=by_epoch)
    resumed.train()
    assert state(resumed) == unkilled(accumulate=4)


@pytest.mark.parametrize('epochs', [2, 3], ids=['between epochs', 'after the last'])
def test_a_validation_that_a_kill_kept_from_being_done_is_done_first(unkilled, tmp_path, epochs):
    class KillBeforeValidation(Hook):
        def before_val(self, runner):
            if runner.epoch == epochs:
                raise Killed

    with pytest.raises(Killed):
        build(tmp_path, hooks=[KillBeforeValidation()]).train()
    resumed = build(tmp_path, resume=True)
    resumed.train()
    assert state(resumed) == unkilled()


def test_a_resumed_epoch_counts_its_batches_on(tmp_path):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[kill_after(8)], by_epoch=False).train()
    seen = []

    class Note(Do):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen.append((runner.epoch, runner.iter, batch_idx))

    build(tmp_path, resume=True, hooks=[Note(0, None)], by_epoch=False).train()
    assert seen[:3] == [(1, 8, 3), (1, 9, 4), (2, 10, 0)]


def test_an_epoch_of_another_length_starts_anew(tmp_path):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[kill_after(3)], by_epoch=False).train()
    path = tmp_path / 'iter_3.pth'
    content = torch.load(path, weights_only=True)
    content['message_hub']['runtime_info']['batches_per_epoch'] = 7
    torch.save(content, path)
    resumed = build(tmp_path, resume=True)
    resumed.train()
    assert 'epoch 1 starts anew: batches_per_epoch was 7 and is now 5' in logged(tmp_path)
    assert resumed.iter == 3 + 3 * 5


def test_a_damaged_checkpoint_is_skipped_and_the_one_before_gives_the_same_end(unkilled, tmp_path):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[kill_after(14)]).train()
    path = tmp_path / 'epoch_2.pth'
    path.write_bytes(path.read_bytes()[:-100])
    resumed = build(tmp_path, resume=True)
    resumed.train()
    assert 'epoch_2.pth is damaged' in logged(tmp_path)
    assert state(resumed) == unkilled()


def test_a_run_that_started_from_published_weights_goes_on_from_its_own(unkilled, tmp_path):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[kill_after(14)]).train()
    resumed = build(tmp_path, resume=True)
    # As in a config that says resume=True and load_from='torchvision'.
    resumed._load_from = 'torchvision'
    resumed.train()
    assert state(resumed) == unkilled()


def test_nothing_to_resume_from_is_an_error(tmp_path):
    with pytest.raises(InputError, match='but there is none'):
        build(tmp_path, resume=True).train()


@pytest.mark.parametrize(
    'hook', ['CheckpointHook', 'mmengine.CheckpointHook', 'mmengine.hooks.CheckpointHook', CheckpointHook]
)
@pytest.mark.parametrize('loop', [EpochBasedTrainLoop, IterBasedTrainLoop], ids=['epochs', 'iterations'])
@pytest.mark.parametrize('spelling', ['flag', 'name', 'scope', 'class'])
def test_mmengines_loop_and_hook_become_ours_however_they_are_named(tmp_path, hook, loop, spelling):
    """mmengine's lazy configs hold classes, others names, with or without a scope."""
    by_epoch = loop is EpochBasedTrainLoop
    kind = {'name': loop.__name__, 'scope': f'mmengine.{loop.__name__}', 'class': loop}.get(spelling)
    settings = dict(by_epoch=by_epoch) if kind is None else dict(type=kind)
    length = dict(max_epochs=1) if by_epoch else dict(max_iters=4)
    runner = build(tmp_path, loop={**settings, **length}, type=hook)
    assert type(runner.train_loop) is (ResumableTrainLoop if by_epoch else IterationTrainLoop)
    assert [type(hook) for hook in runner.hooks if isinstance(hook, CheckpointHook)] == [SafeCheckpointHook]


@pytest.mark.parametrize('kind', ['VisualizationHook', 'mmpretrain.VisualizationHook', VisualizationHook])
def test_a_hook_that_shows_images_is_ours_where_mmpretrains_is_named(tmp_path, kind):
    runner = build(tmp_path)
    with runner.default_scope.overwrite_default_scope('mmpretrain'):
        runner.register_hook(dict(type=kind))
    assert any(type(hook) is PredictionImageHook for hook in runner.hooks)


def test_hooks_and_loops_of_ones_own_stay(tmp_path):
    class OwnHook(CheckpointHook):
        pass

    class OwnLoop(EpochBasedTrainLoop):
        pass

    runner = build(tmp_path, loop=dict(type=OwnLoop, max_epochs=1), type=OwnHook)
    assert type(runner.train_loop) is OwnLoop
    assert any(type(hook) is OwnHook for hook in runner.hooks)


def test_mmengine_alone_does_not_end_as_an_unkilled_run(tmp_path):
    """Fails when mmengine resumes exactly within an epoch: then the Runner and the loop can go."""
    ends = []
    for name in ('whole', 'parts'):
        if name == 'parts':
            with pytest.raises(Killed):
                build(tmp_path / name, hooks=[kill_after(8)], runner=Runner, by_epoch=False).train()
        runner = build(tmp_path / name, resume=name == 'parts', runner=Runner, by_epoch=False)
        runner.train()
        assert type(runner.train_loop) is EpochBasedTrainLoop
        ends.append(state(runner))
    assert ends[0]['model'] != ends[1]['model']
