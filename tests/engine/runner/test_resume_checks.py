import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from toy_run import Do, Killed, Numbers, build, state

from mmpretrain_inception.errors import InputError

COSINE = dict(type='CosineAnnealingLR', by_epoch=True, eta_min=0, convert_to_iter_based=True)


def kill():
    raise Killed


def logged(work_dir):
    return ''.join(path.read_text() for path in work_dir.rglob('*.log'))


def optimizer(**settings):
    return lambda runner: runner.optim_wrapper['optimizer'].update(settings)


def other_optimizer(**settings):
    return lambda runner: runner.optim_wrapper.update(optimizer=settings)


def schedule(index, **settings):
    return lambda runner: runner.param_schedulers[index].update(settings)


def schedules(*settings):
    return lambda runner: setattr(runner, 'param_schedulers', list(settings) or None)


def groups(runner):
    runner.optim_wrapper['paramwise_cfg'] = dict(bias_lr_mult=2.0)


def nothing(runner):
    pass


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (optimizer(lr=0.5), r'optim_wrapper\.optimizer\.lr is 0\.1 in the checkpoint and 0\.5 in this run'),
        (optimizer(weight_decay=1e-4), r'optim_wrapper\.optimizer\.weight_decay is 0 in .* and 0\.0001'),
        (optimizer(momentum=0.5), r'optim_wrapper\.optimizer\.momentum is 0\.9 in .* and 0\.5'),
        (optimizer(nesterov=True), r'optim_wrapper\.optimizer\.nesterov is False in .* and True'),
        (other_optimizer(type='AdamW', lr=0.1), r'optim_wrapper\.optimizer\.type is one with dampening, lr, momentum'),
        (groups, r'the number of parameter groups in optim_wrapper\.optimizer is 1 in .* and 6'),
        (schedule(0, end=8), r'param_scheduler\[0\]\.end is 7 in the checkpoint and 8 in this run'),
        (schedule(0, start_factor=0.5), r'param_scheduler\[0\]\.start_factor is 0\.1 in .* and 0\.5'),
        (schedule(1, step_size=1), r'param_scheduler\[1\]\.step_size is 2 in .* and 1'),
        (schedule(1, gamma=0.5), r'param_scheduler\[1\]\.gamma is 0\.1 in .* and 0\.5'),
        (
            schedules(dict(type='StepLR', step_size=2)),
            r'the number of schedules in param_scheduler is 2 in .* and 1 in',
        ),
        (schedules(), r'the number of schedules in param_scheduler is 2 in .* and 0 in'),
        (
            schedules(dict(type='LinearLR', by_epoch=False, end=7), dict(type='ExponentialLR', gamma=0.1)),
            r'param_scheduler\[1\]\.type is another schedule in .* and ExponentialLR',
        ),
        (
            schedules(dict(type='StepLR', step_size=1), dict(type='StepLR', step_size=2)),
            r'param_scheduler\[0\]\.type is another schedule in .* and StepLR',
        ),
    ],
)
def test_other_settings_are_refused_with_both_values_and_nothing_changes(tmp_path, change, message):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[Do(7, kill)]).train()
    before = (tmp_path / 'epoch_1.pth').read_bytes()
    resumed = build(tmp_path, resume=True)
    change(resumed)
    with pytest.raises(InputError, match=message) as refused:
        resumed.train()
    assert len(str(refused.value).splitlines()) == 2
    assert f'load_from={tmp_path}' in str(refused.value)
    assert (tmp_path / 'epoch_1.pth').read_bytes() == before


@pytest.mark.parametrize(
    ('optimizer', 'other', 'message'),
    [
        (dict(type='AdamW', lr=0.1), dict(betas=(0.8, 0.999)), r'betas is \(0\.9, 0\.999\) in .* and \(0\.8, 0\.999\)'),
        (dict(type='Adam', lr=0.1), dict(type='AdamW', weight_decay=0), 'decoupled_weight_decay is False in .* True'),
        (dict(type='RMSprop', lr=0.1), dict(alpha=0.9), r'alpha is 0\.99 in .* and 0\.9 in'),
    ],
)
def test_settings_of_other_optimizers_are_compared_too(tmp_path, optimizer, other, message):
    first = build(tmp_path, epochs=1)
    first.optim_wrapper['optimizer'] = dict(optimizer)
    first.train()
    resumed = build(tmp_path, epochs=2, resume=True)
    resumed.optim_wrapper['optimizer'] = optimizer | other
    with pytest.raises(InputError, match=message):
        resumed.train()
    same = build(tmp_path, epochs=2, resume=True)
    same.optim_wrapper['optimizer'] = dict(optimizer)
    same.train()


@pytest.mark.parametrize(
    'settings',
    [
        [],
        [dict(type='CosineAnnealingMomentum', by_epoch=True, T_max=2, eta_min=0.5)],
        [dict(type='OneCycleLR', eta_max=0.2, total_steps=15, by_epoch=False)],
        [dict(type='CosineRestartLR', periods=[2, 3], restart_weights=[1, 0.5], by_epoch=False, eta_min=0)],
        [dict(type='MultiStepLR', milestones=[1, 2]), dict(type='PolyLR', by_epoch=False, end=20)],
        [COSINE | dict(end=3)],
    ],
)
@pytest.mark.parametrize('kind', [dict(type='SGD', lr=0.1, momentum=0.9), dict(type='AdamW', lr=0.1)])
def test_the_same_settings_resume(tmp_path, settings, kind):
    for epochs in (1, 3):
        runner = build(tmp_path, epochs=epochs, resume=epochs > 1)
        runner.param_schedulers = settings or None
        runner.optim_wrapper['optimizer'] = dict(kind)
        runner.train()
    assert runner.epoch == 3


@pytest.mark.parametrize('paramwise', [dict(norm_decay_mult=0.0), dict(bias_lr_mult=2.0, custom_keys={'layers.0': {}})])
def test_settings_of_single_parameters_resume_and_are_compared(tmp_path, paramwise):
    for epochs in (1, 2):
        runner = build(tmp_path, epochs=epochs, resume=epochs > 1)
        runner.optim_wrapper['optimizer'].update(weight_decay=0.1)
        runner.optim_wrapper['paramwise_cfg'] = paramwise
        runner.train()
    other = build(tmp_path, epochs=3, resume=True)
    other.optim_wrapper['optimizer'].update(weight_decay=0.2)
    other.optim_wrapper['paramwise_cfg'] = paramwise
    with pytest.raises(InputError, match=r'optimizer\.weight_decay is 0\.1 in the checkpoint and 0\.2 in this run'):
        other.train()


def test_a_longer_run_takes_schedules_without_an_end_along(tmp_path):
    build(tmp_path, epochs=1).train()
    runner = build(tmp_path, epochs=5, resume=True)
    runner.train()
    assert 'param_scheduler[1] follows the length of the run: end was 1 and is now 5' in logged(tmp_path)
    whole = build(tmp_path / 'whole', epochs=5)
    whole.train()
    assert state(runner) == state(whole)


def test_a_scaled_rate_is_that_of_the_same_command(tmp_path):
    for epochs in (1, 2):
        runner = build(tmp_path, epochs=epochs, resume=epochs > 1)
        runner.auto_scale_lr = dict(enable=True, base_batch_size=8)
        runner.train()
    assert runner.optim_wrapper.param_groups[0]['initial_lr'] == pytest.approx(0.1 * 2 / 8)
    plain = build(tmp_path, epochs=3, resume=True)
    with pytest.raises(InputError, match=r'optimizer\.lr is 0\.025 in the checkpoint and 0\.1 in this run'):
        plain.train()


def two_optimizers(runner, rate=0.2):
    first, second = runner.model.layers[0], runner.model.layers[3]
    runner.optim_wrapper = OptimWrapperDict(
        a=OptimWrapper(torch.optim.SGD(first.parameters(), 0.1)),
        b=OptimWrapper(torch.optim.SGD(second.parameters(), rate)),
    )

    def train_step(data, optim_wrapper):
        loss = runner.model(**runner.model.data_preprocessor(data, True), mode='loss')['loss']
        for wrapper in optim_wrapper.values():
            wrapper.zero_grad()
        loss.backward()
        for wrapper in optim_wrapper.values():
            wrapper.step()
        return dict(loss=loss)

    runner.model.train_step = train_step


def test_several_optimizers_resume_and_are_compared_by_name(tmp_path):
    for epochs in (1, 2):
        runner = build(tmp_path, epochs=epochs, resume=epochs > 1)
        two_optimizers(runner)
        runner.train()
    other = build(tmp_path, epochs=3, resume=True)
    two_optimizers(other, rate=0.3)
    with pytest.raises(InputError, match=r'optim_wrapper\.b\.optimizer\.lr is 0\.2 in the checkpoint and 0\.3'):
        other.train()
    with pytest.raises(InputError, match='expected optimizer of one optimizer, got a, b'):
        build(tmp_path, epochs=3, resume=True).train()


@pytest.mark.parametrize('part', ['optimizer', 'param_schedulers', 'message_hub', 'meta'])
def test_a_part_that_is_missing_is_named(tmp_path, part):
    build(tmp_path, epochs=1).train()
    path = tmp_path / 'epoch_1.pth'
    content = torch.load(path, weights_only=True)
    del content[part]
    torch.save(content, path)
    with pytest.raises(InputError, match=f'expected a checkpoint of a training run, got one without {part}'):
        build(tmp_path, epochs=2, resume=True).train()


def test_weights_alone_are_to_be_loaded_and_not_resumed_from(tmp_path):
    build(tmp_path, epochs=1).train()
    (best,) = tmp_path.glob('best_*.pth')
    resumed = build(tmp_path, epochs=2, resume=True)
    resumed._load_from = str(best)
    with pytest.raises(InputError, match=rf'without optimizer, param_schedulers; to start .* load_from={best}'):
        resumed.train()


def test_a_bug_keeps_its_traceback(tmp_path, monkeypatch):
    build(tmp_path, epochs=1).train()
    resumed = build(tmp_path, epochs=2, resume=True)
    monkeypatch.setattr(type(resumed.message_hub), 'load_state_dict', lambda hub, state: {}['a bug'])
    with pytest.raises(KeyError, match='a bug'):
        resumed.train()


class Twice(Numbers):
    def __len__(self):
        return 20


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda settings: settings.update(batch_size=5), 'batches_per_epoch was 5 and is now 2, batch_size was 2'),
        (lambda settings: settings.update(dataset=Twice()), 'dataset_length was 10 and is now 20'),
        (lambda settings: settings.update(batch_size=4, dataset=Twice()), 'epoch 1 starts anew: batch_size was 2'),
    ],
)
def test_an_epoch_with_other_batches_starts_anew_also_if_their_number_is_the_same(tmp_path, change, message):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[Do(3, kill)], by_epoch=False).train()
    seen = []
    resumed = build(tmp_path, resume=True, epochs=1, by_epoch=False, hooks=[Do(4, lambda: seen.append(1))])
    change(resumed._train_dataloader)
    resumed.train()
    assert message in logged(tmp_path)
    assert resumed.iter == resumed.max_iters == 3 + len(resumed.train_dataloader)


def test_a_checkpoint_of_an_earlier_version_resumes_within_its_epoch(tmp_path):
    with pytest.raises(Killed):
        build(tmp_path, hooks=[Do(3, kill)], by_epoch=False).train()
    path = tmp_path / 'iter_3.pth'
    content = torch.load(path, weights_only=True)
    for key in ('batch_size', 'world_size', 'dataset_length'):
        del content['message_hub']['runtime_info'][key]
    torch.save(content, path)
    resumed = build(tmp_path, resume=True, by_epoch=False)
    resumed.train()
    assert resumed.iter == resumed.max_iters == 15
    assert 'starts anew' not in logged(tmp_path)


def test_schedules_by_iteration_are_scaled_to_the_new_length_of_an_epoch(tmp_path):
    """With half as many iterations an epoch the rate after each epoch is the same."""
    rates = {}
    for name, size in (('same', 2), ('other', 4)):
        for epochs in (1, 3):
            runner = build(tmp_path / name, epochs=epochs, resume=epochs > 1)
            runner._train_dataloader.update(batch_size=size if epochs > 1 else 2, dataset=Twice())
            runner.param_schedulers = [COSINE | dict(end=4)]
            runner.train()
        rates[name] = runner.optim_wrapper.get_lr()['lr']
    assert 'param_scheduler[0] is scaled to 0.5 times as many batches in an epoch' in logged(tmp_path / 'other')
    assert rates['other'] == pytest.approx(rates['same'], rel=1e-6)


@pytest.mark.parametrize(
    ('loop', 'message'),
    [
        (dict(by_epoch=True, max_epochs=1), 'already at epoch 1; raise train_cfg.max_epochs to train longer'),
        (dict(by_epoch=False, max_iters=4), 'already at iteration 4; raise train_cfg.max_iters to train longer'),
    ],
)
def test_a_finished_run_says_that_nothing_is_left(tmp_path, loop, message):
    by_epoch = loop['by_epoch']
    build(tmp_path, loop=loop, by_epoch=by_epoch).train()
    resumed = build(tmp_path, loop=loop, by_epoch=by_epoch, resume=True)
    resumed.train()
    assert logged(tmp_path).count('nothing is left to train') == 1
    assert message in logged(tmp_path)
    assert not list(tmp_path.glob('before_*'))
