import pytest
from mmengine.config import Config
from support import CONFIGS, run_tool

from mmpretrain_inception.apis import TrainOptions, differences, final_config

DIGITS = str(CONFIGS / 'inception-v3_1xb64_digits-75px.py')


def test_what_options_change():
    changed = list(differences(TrainOptions(DIGITS, {'model.head.dropout': 0.3}, epochs=7, lr=0.5), ''))
    assert changed == [
        ('optim_wrapper.optimizer.lr', 0.001, 0.5),
        ('param_scheduler.1.end', 14, 7),
        ('train_cfg.max_epochs', 14, 7),
        ('custom_hooks.0.momentum', 0.02, 0.04),
        ('model.head.dropout', None, 0.3),
    ]


def test_what_differs_from_another_config():
    changed = {
        key: (old, new)
        for key, old, new in differences(TrainOptions(DIGITS), str(CONFIGS / 'inception-v3_8xb32_in1k.py'))
    }
    assert changed['model.head.num_classes'] == (1000, 10)
    assert changed['custom_hooks.0.type'] == (None, 'mmpretrain_inception.SyncedEMAHook')
    assert 'default_hooks.checkpoint.interval' not in changed


def test_the_final_config_has_what_the_machine_decides_and_no_variables():
    cfg, notes = final_config(TrainOptions(DIGITS, epochs=3, workers=1))
    assert (cfg.train_cfg.max_epochs, cfg.train_dataloader.num_workers, notes) == (3, 1, ())
    assert cfg.work_dir == 'work_dirs/inception-v3_1xb64_digits-75px'
    assert not {'EPOCHS', 'train_pipeline', 'vis_backends'} & set(cfg)


@pytest.mark.parametrize(
    ('name', 'note'),
    [
        ('inception-v3_1xb32_folder.py', 'without --data, folders and classes are not filled in'),
        ('inception-v3_pytorch-fid_fid.py', 'this config does not train; it is shown as it is read'),
    ],
)
def test_what_cannot_be_completed_is_shown_as_it_is_read(name, note):
    cfg, notes = final_config(TrainOptions(str(CONFIGS / name)))
    assert notes == (note,)
    assert 'work_dir' not in cfg


def test_what_the_tool_prints_is_a_config(tmp_path):
    printed = run_tool('print_config.py', DIGITS, '--epochs', '2', cwd=tmp_path)
    assert printed.stderr == ''
    (tmp_path / 'final.py').write_text(printed.stdout)
    cfg = Config.fromfile(tmp_path / 'final.py')
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[-1].end) == (2, 2)
    assert run_tool('print_config.py', 'final.py', '--diff', cwd=tmp_path).stdout == 'no difference\n'
    changed = run_tool('print_config.py', 'final.py', '--seed', '4', '--diff', cwd=tmp_path)
    assert changed.stdout == 'randomness.seed: 0 -> 4\n'
