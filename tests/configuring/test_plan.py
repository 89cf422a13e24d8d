import pytest
import torch
from mmengine.config import Config

from mmpretrain_inception.configuring.ensemble import Member
from mmpretrain_inception.configuring.machine import BF16, FP16, FP32, Machine
from mmpretrain_inception.configuring.options import ConfigOptions, ExportOptions, TestOptions, TrainOptions
from mmpretrain_inception.configuring.plan import Plan, make_plan
from mmpretrain_inception.errors import InputError, UsageError

CPU = Machine(cuda=False, bf16=True, cores=2)
AVX2 = Machine(cuda=False, bf16=False, processor_bf16=False, cores=4)
OLD_GPU = Machine(cuda=True, bf16=False, cores=64)
GPU_BESIDE_AVX2 = Machine(cuda=True, bf16=True, processor_bf16=False)


def config(**settings):
    """A config as small as plans need it; no file is read."""
    return Config(
        dict(
            model=dict(type='ImageClassifier', backbone=dict(), head=dict(num_classes=10)),
            train_dataloader=dict(batch_size=8, dataset=dict(type='CIFAR10')),
            test_dataloader=dict(batch_size=8, num_workers=5, dataset=dict(type='CIFAR10')),
            train_cfg=dict(by_epoch=True, max_epochs=3),
            test_cfg=dict(),
            test_evaluator=dict(type='Accuracy'),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            runner_type='mmpretrain_inception.ResumableRunner',
            default_hooks=dict(checkpoint=dict(type='CheckpointHook')),
            **settings,
        )
    )


def plan_training(machine=CPU, settings=None, **options):
    return make_plan(TrainOptions('dir/c.py', **options), config(**settings or {}), machine)


def plan_test(*checkpoints, machine=CPU, settings=None, **options):
    return make_plan(TestOptions('dir/c.py', checkpoints=checkpoints, **options), config(**settings or {}), machine)


@pytest.mark.parametrize(
    ('options', 'settings', 'expected'),
    [
        ({}, {}, 'work_dirs/c'),
        ({}, dict(work_dir='theirs'), 'theirs'),
        (dict(work_dir='mine'), dict(work_dir='theirs'), 'mine'),
        (dict(work_dir='mine', cfg_options={'work_dir': 'key'}), {}, 'key'),
    ],
)
def test_the_work_directory_is_the_first_that_anyone_names(options, settings, expected):
    assert plan_training(settings=settings, **options).work_dir == expected


@pytest.mark.parametrize(
    ('amp', 'machine', 'expected'),
    [
        (False, CPU, FP32), (True, CPU, BF16), (True, OLD_GPU, FP16), (True, Machine(cuda=True), BF16),
        (False, AVX2, FP32), (True, AVX2, FP32), ('force', AVX2, BF16), ('force', CPU, BF16), ('force', OLD_GPU, FP16),
    ],
)  # fmt: skip
def test_the_precision_depends_on_the_machine(amp, machine, expected):
    assert plan_training(machine, amp=amp).precision == expected
    assert plan_test('a.pth', machine=machine, amp=amp).precision == expected


@pytest.mark.parametrize(
    'plan', [plan_training, lambda *given, **options: plan_test('a.pth', machine=given[0], **options)]
)
def test_mixed_precision_that_would_be_emulated_is_left_out_in_one_line(plan):
    note = '--amp has no effect: this processor only emulates bfloat16'
    assert [line.startswith(note) for line in plan(AVX2, amp=True).notes] == [True]
    for machine, amp in ((AVX2, False), (AVX2, 'force'), (CPU, True), (OLD_GPU, True)):
        assert not plan(machine, amp=amp).notes


@pytest.mark.parametrize(
    ('machine', 'precision', 'said'),
    [
        (AVX2, 'bf16', True),
        (AVX2, 'fp32', False),
        (CPU, 'bf16', False),
        # Exported files are run on the processor.
        (GPU_BESIDE_AVX2, 'bf16', True),
        (OLD_GPU, 'bf16', False),
    ],
)
def test_an_export_in_bf16_says_where_it_is_slow(machine, precision, said):
    options = ExportOptions('c.py', checkpoint='a.pth', to='torch', out='m.pt2', precision=precision)
    notes = make_plan(options, config(), machine).notes
    assert [line.startswith('m.pt2 is in bf16, which this processor only emulates') for line in notes] == [True] * said


def test_loaders_get_what_the_config_leaves_open():
    loaders = plan_training(Machine(cuda=True, cores=64)).loaders
    assert (loaders['train_dataloader']['num_workers'], loaders['train_dataloader']['pin_memory']) == (8, True)
    assert 'num_workers' not in loaders['test_dataloader']
    assert 'val_dataloader' not in loaders


@pytest.mark.parametrize(
    ('launcher', 'machine', 'expected'), [('none', CPU, False), ('pytorch', CPU, True), ('pytorch', OLD_GPU, False)]
)
def test_processes_on_cpus_need_another_wrapper(launcher, machine, expected):
    assert plan_training(machine, launcher=launcher).ddp_on_cpu is expected


@pytest.mark.parametrize(
    ('checkpoints', 'settings', 'members', 'ensemble'),
    [
        (['a.pth'], {}, ['a.pth'], False),
        (['a.pth', 'b.pth'], {}, ['a.pth', 'b.pth'], True),
        ([], dict(ensemble=[dict(checkpoint='a.pth')]), ['a.pth'], True),
    ],
)
def test_what_is_averaged(checkpoints, settings, members, ensemble):
    plan = plan_test(*checkpoints, settings=settings)
    assert ([member.checkpoint for member in plan.members], plan.ensemble) == (members, ensemble)
    assert all((member.model is not None) is ensemble for member in plan.members)


def test_the_dumped_config_of_an_ensemble_plans_the_same_ensemble():
    own = dict(type='ImageClassifier', backbone=dict(depth=18))
    cfg = config()
    cfg.model = dict(
        type='mmpretrain_inception.EnsembleClassifier', members=[dict(model=own, checkpoint=c) for c in 'ab']
    )
    plan = make_plan(TestOptions('c.py'), cfg, CPU)
    assert plan.members == (Member('a', None, own), Member('b', None, own))
    replaced = make_plan(TestOptions('c.py', checkpoints=('c', 'd')), cfg, CPU)
    assert [member.checkpoint for member in replaced.members] == ['c', 'd']


@pytest.mark.parametrize('compiled', [None, False, True, dict(dynamic=False)])
def test_compilation_is_read_as_mmengine_reads_it(compiled):
    expected = {None: None, False: None, True: {}}.get(compiled if not isinstance(compiled, dict) else 0, compiled)
    assert plan_test('a.pth', settings=dict(compile=compiled)).compile == (
        compiled if isinstance(compiled, dict) else expected
    )


@pytest.mark.parametrize(
    ('plan', 'message'),
    [
        (lambda: plan_test(), r'^dir/c\.py: expected a checkpoint after the config'),
        (lambda: plan_test('a.pth', show_dir='s', tta=True), 'do not go together with --tta'),
        (lambda: plan_test('a.pth', show=True), 'need default_hooks.visualization in the config'),
        (lambda: plan_test('a.onnx', 'b.pth'), 'evaluated one at a time'),
        (lambda: plan_test('a.onnx', amp=True), r'^a\.onnx: --amp changes how PyTorch runs a model'),
        (
            lambda: plan_test('a.onnx', cfg_options={'model.backbone.norm_eval': True}),
            r'^a\.onnx: model\.backbone\.norm_eval changes',
        ),
        (lambda: plan_training(data='d'), r'--data is for configs that declare image_folder'),
        (lambda: plan_training(auto_scale_lr=True), r'--auto-scale-lr needs auto_scale_lr=dict'),
    ],
)
def test_what_does_not_go_together_is_refused(plan, message):
    with pytest.raises(UsageError, match=message):
        plan()


@pytest.mark.parametrize('folder', ['file', 'file/below', 'file/two/below', 'dangling', 'dangling/below'])
@pytest.mark.parametrize(
    ('option', 'plan'),
    [
        ('--work-dir', lambda folder: plan_training(work_dir=folder)),
        ('--work-dir', lambda folder: plan_training(cfg_options={'work_dir': folder})),
        ('--work-dir', lambda folder: plan_test('a.pth', work_dir=folder)),
        ('--show-dir', lambda folder: plan_test('a.pth', show_dir=folder)),
        ('--out', lambda folder: plan_test('a.pth', out=f'{folder}/m.pkl')),
    ],
    ids=['train', 'key', 'test', 'show', 'out'],
)
def test_a_folder_for_results_that_cannot_be_made_is_refused(option, plan, folder, tmp_path):
    (tmp_path / 'file').touch()
    (tmp_path / 'dangling').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(InputError, match=rf'^{option} .*{folder}: expected a folder, but .*{folder.split("/")[0]} is'):
        plan(str(tmp_path / folder))


def test_a_folder_in_the_place_of_a_file_of_results_is_refused(tmp_path):
    (tmp_path / 'm.json').mkdir()
    with pytest.raises(InputError, match=r'^--out .*m\.json: expected a file, got a folder'):
        plan_test('a.pth', out=str(tmp_path / 'm.json'), out_item='metrics')


def test_a_folder_for_results_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    # Root may write anywhere.
    monkeypatch.setattr('os.access', lambda path, mode: not str(path).startswith(str(tmp_path)))
    with pytest.raises(InputError, match=r'^--work-dir .*: no permission to write in'):
        plan_training(work_dir=str(tmp_path / 'new'))


def test_a_schedule_that_training_does_not_reach_the_end_of_is_remarked_on():
    schedule = [dict(type='LinearLR', end=5), dict(type='CosineAnnealingLR', begin=5, end=30)]
    (note,) = plan_training(settings=dict(param_scheduler=schedule)).notes
    assert note.startswith('the learning rate is scheduled up to epoch 30')
    assert plan_training(settings=dict(param_scheduler=schedule[:0])).notes == ()


def test_resuming_where_there_is_nothing(tmp_path):
    with pytest.raises(InputError, match='--resume expects a checkpoint of an earlier run here, but there is none'):
        plan_training(resume='auto', work_dir=str(tmp_path))


@pytest.fixture
def folder_config(image_folder):
    cfg = config(image_folder=str(image_folder), val_cfg=dict(), val_evaluator=dict(type='Accuracy'))
    for phase in ('train', 'val', 'test'):
        cfg[f'{phase}_dataloader'] = dict(dataset=dict(type='mmpretrain_inception.ImageFolder'))
    return cfg


def save(path, classes):
    torch.save({'state_dict': {}, 'meta': {'dataset_meta': {'classes': classes}}}, path)


@pytest.mark.parametrize('spelled', ['auto', 'path', 'home'])
def test_a_run_is_not_resumed_on_other_classes(folder_config, tmp_path, monkeypatch, spelled):
    monkeypatch.setenv('HOME', str(tmp_path))
    save(tmp_path / 'epoch_1.pth', ['ant', 'bee', 'zoo'])
    resume = {'auto': 'auto', 'path': str(tmp_path / 'epoch_1.pth'), 'home': '~/epoch_1.pth'}[spelled]
    options = TrainOptions('c.py', resume=resume, work_dir=str(tmp_path))
    with pytest.raises(InputError, match=r'expects the classes of the checkpoint, ant, bee, zoo, but .* ant, bee, cat'):
        make_plan(options, folder_config, CPU)


def test_a_run_is_resumed_on_the_same_classes_and_says_that_it_needs_no_weights_to_start_from(folder_config, tmp_path):
    save(tmp_path / 'epoch_1.pth', ['ant', 'bee', 'cat'])
    options = TrainOptions('c.py', {'load_from': 'start.pth'}, resume='auto', work_dir=str(tmp_path))
    plan = make_plan(options, folder_config, CPU)
    assert plan.data.classes == ('ant', 'bee', 'cat')
    assert plan.notes == ('--resume continues with the weights of the earlier run; load_from=start.pth is not used',)


def test_only_a_run_that_calibrates_needs_training_images_for_an_export(folder_config):
    del folder_config.test_dataloader.dataset['type']
    folder_config.image_folder = None
    arguments = dict(checkpoint='c.pth', to='onnx', out='m.onnx')
    assert make_plan(ExportOptions('c.py', **arguments), folder_config, CPU).data is None
    with pytest.raises(UsageError, match='needs --data PATH'):
        make_plan(ExportOptions('c.py', **arguments, precision='int8'), folder_config, CPU)


def test_a_command_that_only_reads_the_config_plans_nothing():
    assert make_plan(ConfigOptions('c.py'), config(), CPU) == Plan()
