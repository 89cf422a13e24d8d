"""What a person sees of training and testing, with a network of a few layers."""

import os
import re
import shlex
import signal
import sys
import warnings
from pathlib import Path

import pytest
from folder_loaders import FOLDER_LOADERS
from mmengine.hooks import Hook
from mmengine.logging import MMLogger, print_log
from mmengine.registry import HOOKS
from support import REPOSITORY

from mmpretrain_inception.apis import TestOptions, TrainOptions, evaluate, train
from mmpretrain_inception.apis.commands import command, nearest, same_command
from mmpretrain_inception.utils import terminal_log
from mmpretrain_inception.utils.terminal_log import KNOWN, for_a_person

CONFIG = """
default_scope = 'mmpretrain'
runner_type = 'mmpretrain_inception.ResumableRunner'
image_folder = None
data_preprocessor = dict(num_classes=2, mean=[120.0], std=[60.0])
model = dict(
    type='ImageClassifier',
    backbone=dict(type='LeNet5', num_classes=2),
    head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss')),
)
pipeline = [
    dict(type='LoadImageFromFile', color_type='grayscale'),
    dict(type='Resize', scale=(32, 32)),
    dict(type='PackInputs'),
]
"""
CONFIG += (
    FOLDER_LOADERS
    + """
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.0))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', save_best='accuracy/top1'))
randomness = dict(seed=0)
"""
)
WARNINGS_OF_MMENGINE = """
logger.warning('"FileClient" will be deprecated in future. Please use')
logger.warning('something else')
logger.info('hundreds of lines')
print_log('more of them', 'current')
"""
NOTES_OF_OURS = """
logger.info('one note')
print_log('another', 'current')
logger.info('Load checkpoint from x.pth')
"""
# Small enough for a screen, with what remains of it for the first figures.
MOST_LINES = 15


@HOOKS.register_module()
class TerminatedInTheSecondEpoch(Hook):
    """Send this process the signal that ends a job."""

    def before_train_epoch(self, runner):
        if runner.epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def here(tmp_path, image_folder, monkeypatch):
    """The current folder, with a config and images in three classes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'c.py').write_text(CONFIG)
    config = (tmp_path / 'c.py').read_text().replace('num_classes=2', 'num_classes=3')
    (tmp_path / 'c.py').write_text(config)
    return tmp_path


def run(function, kind, capsys, **options):
    """Train or test, and return the lines on standard output and error."""
    settings = {'experiment_name': f'{os.getcwd()} {len(MMLogger._instance_dict)}', **options.pop('cfg_options', {})}
    capsys.readouterr()
    function(kind('c.py', settings, data='images', work_dir='work', **options))
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


def test_training_is_one_screen_and_a_line_an_epoch(here, capsys):
    out, err = run(train, TrainOptions, capsys)
    timestamp = next(path.name for path in (here / 'work').iterdir() if path.is_dir())
    first = next(number for number, line in enumerate(out) if line.startswith('epoch'))
    assert first <= MOST_LINES
    assert out[first - 6 : first] == [
        'data     24 images to train on, 12 to validate on, 3 classes: ant, bee, cat',
        '         from images: its folders train, val',
        'weights  none: training from scratch',
        'recipe   2 epochs, batch 12, SGD, learning rate 0, 32 x 32 px, fp32, CPU with 1 thread',
        'steps    2 an epoch, 4 in all',
        f'results  work, the log in {timestamp}/',
    ]
    figures = r'  0:00:\d\d  loss [\d.]+  top1 [\d.]+  cross_entropy [\d.]+'
    assert re.fullmatch(f'epoch 1/2{figures}  best', out[first])
    # At a rate of 0 nothing gets better.
    assert re.fullmatch(f'epoch 2/2{figures}', out[first + 1])
    assert re.fullmatch(r'best     accuracy/top1 [\d.]+', out[first + 2])
    assert out[first + 3] == 'model    work/best_accuracy_top1_epoch_1.pth'
    assert out[first + 4].startswith('next     ')
    assert len(err) == 1
    assert re.fullmatch(r'epoch 2/2: 4/4 steps in 0:00:\d\d, loss [\d.]+  lr 0', err[0])


def test_the_log_file_has_all_of_mmengines_log_and_verbose_shows_it(here, capsys):
    lines = ('System environment', 'Config:', 'Hooks will be executed in the following order', 'Epoch(train) [2][2/2]')
    out, _ = run(train, TrainOptions, capsys)
    (log,) = (here / 'work').rglob('*.log')
    logged = log.read_text()
    assert [line for line in lines if line not in logged] == []
    assert [line for line in lines if line in '\n'.join(out)] == []
    assert not any('mmengine - ' in line for line in out)
    out, err = run(train, TrainOptions, capsys, verbose=True)
    assert [line for line in lines if line not in '\n'.join(out)] == []
    assert err == []


def test_a_resumed_run_says_where_it_goes_on(here, capsys):
    run(train, TrainOptions, capsys, cfg_options={'train_cfg.max_epochs': 1})
    out, err = run(train, TrainOptions, capsys, resume='auto', no_validate=True)
    assert 'weights  work/epoch_1.pth, which this run continues' in out
    assert 'steps    2 an epoch, 4 in all, 2 of them done' in out
    assert 'data     24 images to train on, no validation, 3 classes: ant, bee, cat' in out
    assert [line for line in out if re.fullmatch(r'epoch 2/2  0:00:\d\d  loss [\d.]+', line)]
    assert re.match('epoch 2/2: 4/4 steps in', err[-1])


def test_iterations_are_counted_where_there_are_no_epochs(here, capsys):
    by_epoch, by_step = 'by_epoch=True, max_epochs=2', 'by_epoch=False, max_iters=4, val_interval=2'
    (here / 'c.py').write_text((here / 'c.py').read_text().replace(by_epoch, by_step))
    settings = {'train_dataloader.sampler.type': 'InfiniteSampler', 'default_hooks.checkpoint.by_epoch': False}
    out, _ = run(train, TrainOptions, capsys, cfg_options=settings)
    assert 'steps    4 in all' in out
    lines = [line for line in out if line.startswith('step ')]
    assert [line.partition('  ')[0] for line in lines] == ['step 2/4', 'step 4/4']


def test_a_run_that_a_hook_of_mmengine_ends_early_says_so(here, capsys):
    hooks = [dict(type='EarlyStoppingHook', monitor='accuracy/top1', patience=1)]
    out, _ = run(train, TrainOptions, capsys, cfg_options={'custom_hooks': hooks, 'train_cfg.max_epochs': 9})
    assert 'stopped  early, after 4 of 18 steps' in out


def test_a_stopped_run_says_how_to_go_on(here, capsys, monkeypatch):
    tool = str(REPOSITORY / 'tools' / 'train.py')
    monkeypatch.setattr(sys, 'argv', [tool, 'c.py', '--data', 'two words'])
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    hooks = [dict(type='TerminatedInTheSecondEpoch'), dict(type='mmpretrain_inception.StopSignalHook')]
    with pytest.raises(SystemExit) as stopped:
        run(train, TrainOptions, capsys, cfg_options={'custom_hooks': hooks})
    out, err = capsys.readouterr()
    assert stopped.value.code == 143
    assert out.splitlines()[-2] == 'SIGTERM: saving a checkpoint after 3 iterations; resume with --resume'
    assert shlex.split(out.splitlines()[-1])[-5:] == [tool, 'c.py', '--data', 'two words', '--resume']
    assert err == ''


def test_testing_shows_the_figures_in_a_table(here, capsys):
    run(train, TrainOptions, capsys, no_validate=True, cfg_options={'train_cfg.max_epochs': 1})
    out, err = run(evaluate, TestOptions, capsys, checkpoints=('work/epoch_1.pth',))
    assert out[:4] == [
        'data     12 images to test on, 3 classes: ant, bee, cat',
        '         from images: its folder val',
        'weights  work/epoch_1.pth',
        'compute  32 x 32 px, fp32, CPU with 1 thread',
    ]
    assert re.fullmatch(r'accuracy/top1 +[\d.]+', out[-2])
    assert re.fullmatch(r'single-label/cross_entropy +[\d.]+', out[-1])
    assert re.match('test: 12/12 images in 0:00:', err[0])


def test_only_known_warnings_are_held_back(tmp_path, capsys, monkeypatch):
    # In place of Python's, since Pytest collects what that gets.
    monkeypatch.setattr(warnings, 'showwarning', lambda message, *rest: print(message, file=sys.stderr))
    with for_a_person():
        # One before there is a log file, one after.
        warnings.showwarning('pkg_resources is deprecated as an API. See', UserWarning, '/x/mmengine/config.py', 1)
        logger = MMLogger.get_instance(f'{tmp_path}', log_file=str(tmp_path / 'run.log'))
        warnings.showwarning('pkg_resources is deprecated as an API, too', UserWarning, '/x/mmengine/config.py', 1)
        warnings.showwarning('watch out', UserWarning, '/x/stranger.py', 1)
        code = compile(WARNINGS_OF_MMENGINE, '/x/mmengine/fileio/file_client.py', 'exec')
        exec(code, dict(logger=logger, print_log=print_log))
        code = compile(NOTES_OF_OURS, str(Path(terminal_log.__file__).with_name('notes.py')), 'exec')
        exec(code, dict(logger=logger, print_log=print_log))
    assert capsys.readouterr() == ('warning: something else\none note\nanother\n', 'watch out\n')
    logged = (tmp_path / 'run.log').read_text()
    kept = ('an API. See', 'an API, too', '"FileClient" will be', 'something else', 'hundreds of lines')
    assert [text for text in kept if text not in logged] == []
    logger.info('shown as mmengine does')
    assert 'shown as mmengine does' in capsys.readouterr().out


@pytest.mark.parametrize('known', KNOWN, ids=lambda known: known.message[:30])
def test_each_known_warning_has_a_reason_and_an_exact_beginning(known):
    assert len(known.message) > 15
    assert not known.message.startswith('.')
    assert known.reason


def test_commands_can_be_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'my work').mkdir()
    monkeypatch.setattr(sys, 'argv', ['tools/train.py', 'c.py'])
    monkeypatch.setattr(sys, 'orig_argv', ['python', 'tools/train.py', 'c.py'])
    monkeypatch.setattr(Path, 'exists', lambda path: True)
    assert command('test', 'c.py', str(tmp_path / 'my work')) == "python tools/test.py c.py 'my work'"
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    assert same_command('--resume') == 'python tools/train.py c.py --resume'
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    assert same_command('--resume') is None
    monkeypatch.setattr(sys, 'argv', ['/x/bin/mmpretrain-inception', 'train', 'c.py'])
    assert command('test', 'c.py') == 'mmpretrain-inception test c.py'


def test_only_what_lies_here_gets_a_relative_path(tmp_path, monkeypatch):
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    (tmp_path / 'here/file').touch()
    assert nearest(str(tmp_path / 'here/file')) == 'file'
    assert nearest(str(tmp_path)) == str(tmp_path)
    assert nearest('https://example.com/a.pth') == 'https://example.com/a.pth'
