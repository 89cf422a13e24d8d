import pytest
import torch
from support import CONFIGS

from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import TestOptions, TrainOptions
from mmpretrain_inception.errors import InputError, UsageError
from mmpretrain_inception.utils import cores as cores_module

DIGITS = str(CONFIGS / 'inception-v3_1xb64_digits-75px.py')
IN1K = str(CONFIGS / 'inception-v3_8xb32_in1k.py')


def for_training(config=DIGITS, **options):
    return configure(TrainOptions(config, **options)).cfg


def for_test(config=DIGITS, checkpoints=('c.pth',), **options):
    return configure(TestOptions(config, checkpoints=checkpoints, **options)).cfg


def test_the_work_directory_bears_the_name_of_the_config():
    assert for_training().work_dir == 'work_dirs/inception-v3_1xb64_digits-75px'
    assert for_training(work_dir='mine').work_dir == 'mine'


def test_options_of_the_user_come_last():
    loader = for_training(cfg_options={'train_dataloader.num_workers': 0}).train_dataloader
    assert (loader.num_workers, loader.persistent_workers) == (0, False)
    assert for_training(work_dir='a', cfg_options={'work_dir': 'b'}).work_dir == 'b'


def test_no_validate_removes_all_of_validation():
    cfg = for_training(no_validate=True)
    assert (cfg.val_cfg, cfg.val_dataloader, cfg.val_evaluator) == (None, None, None)


def test_auto_scale_lr_is_switched_on():
    assert for_training(auto_scale_lr=True).auto_scale_lr == dict(base_batch_size=64, enable=True)


def test_auto_scale_lr_leaves_the_batch_size_of_the_config_to_be_dumped():
    cfg = for_training(auto_scale_lr=True, cfg_options={'optim_wrapper.accumulative_counts': 4})
    assert cfg.auto_scale_lr.base_batch_size == 64


@pytest.mark.parametrize(
    ('cuda', 'bf16', 'wrapper'),
    [
        (False, False, 'mmpretrain_inception.BF16OptimWrapper'),
        (True, True, 'mmpretrain_inception.BF16OptimWrapper'),
        (True, False, 'AmpOptimWrapper'),
    ],
)
def test_amp_takes_bfloat16_where_the_device_has_it(monkeypatch, cuda, bf16, wrapper):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: bf16)
    assert for_training(amp='force').optim_wrapper.type == wrapper


@pytest.mark.parametrize(('cores', 'processes', 'workers'), [(2, 1, 2), (64, 1, 8), (64, 32, 2), (1, 2, 0)])
def test_workers_come_from_the_machine_unless_the_config_says(monkeypatch, cores, processes, workers):
    monkeypatch.setattr(cores_module, 'available_cores', lambda: cores)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', str(processes))
    loader = for_training(IN1K).train_dataloader
    assert loader.num_workers == workers
    assert loader.persistent_workers is (workers > 0)
    assert for_training(IN1K, cfg_options={'val_dataloader.num_workers': 5}).val_dataloader.num_workers == 5


def test_tta_averages_an_image_and_its_mirror():
    cfg = for_test(tta=True)
    assert cfg.model.type == 'mmpretrain.AverageClsScoreTTA'
    assert cfg.model.module.backbone.type == 'mmpretrain_inception.InceptionV3'
    *_, augment = cfg.test_dataloader.dataset.pipeline
    assert augment.type == 'TestTimeAug'
    assert [[step.type for step in steps] for steps in augment.transforms] == [['RandomFlip'] * 2, ['PackInputs']]


def test_tta_and_show_dir_do_not_go_together():
    with pytest.raises(UsageError, match='do not go together'):
        for_test(tta=True, show_dir='shown')


def test_show_dir_turns_the_hook_on():
    hook = for_test(show_dir='shown', interval=3).default_hooks.visualization
    assert (hook.enable, hook.out_dir, hook.interval) == (True, 'shown', 3)


@pytest.mark.parametrize('name', ['mmpretrain_inception::inception_v3/inception-v3_8xb32_in1k.py', IN1K])
def test_a_config_is_read_by_path_and_from_a_package(name):
    assert load_config(name).model.head.num_classes == 1000


@pytest.mark.parametrize(
    ('name', 'error', 'message'),
    [
        ('no.py', UsageError, 'no.py: expected a config file'),
        ('nopackage::a/b.py', InputError, 'the config cannot be read'),
    ],
)
def test_a_config_that_cannot_be_read(name, error, message):
    with pytest.raises(error, match=message):
        load_config(name)


@pytest.mark.parametrize(
    ('cuda', 'bf16', 'loop'),
    [
        (False, False, 'mmpretrain_inception.BF16TestLoop'),
        (True, True, 'mmpretrain_inception.BF16TestLoop'),
        (True, False, None),
    ],
)
def test_amp_tests_in_bfloat16_where_the_device_has_it(monkeypatch, cuda, bf16, loop):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: cuda)
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: bf16)
    test_cfg = for_test(amp='force').test_cfg
    assert (test_cfg.get('type'), test_cfg.fp16) == (loop, True)
    assert 'type' not in for_test().test_cfg


@pytest.mark.parametrize(
    ('deploy', 'compile_cfg', 'added'),
    [
        (False, None, []),
        (False, False, []),
        (True, None, [dict(type='mmpretrain_inception.DeployHook')]),
        (False, True, [dict(type='mmpretrain_inception.CompileHook')]),
        (
            True,
            dict(dynamic=False),
            [
                dict(type='mmpretrain_inception.DeployHook'),
                dict(type='mmpretrain_inception.CompileHook', dynamic=False),
            ],
        ),
    ],
)
def test_the_deploy_form_and_compilation_are_hooks_of_the_test(deploy, compile_cfg, added):
    options = {} if compile_cfg is None else dict(cfg_options=dict(compile=compile_cfg))
    before = for_test().get('custom_hooks') or []
    assert for_test(deploy=deploy, **options).custom_hooks == [*before, *added]
