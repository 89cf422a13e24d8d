import json
import re
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import ConcatDataset
from mmengine.registry import RUNNERS
from support import CONFIGS, REPOSITORY, run

from mmpretrain_inception.configuring.configure import configure
from mmpretrain_inception.configuring.options import TestOptions
from mmpretrain_inception.datasets import ImageFolder
from mmpretrain_inception.engine import SkipBrokenHook
from mmpretrain_inception.errors import BrokenImageError, InputError

CONFIG = CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py'

pytestmark = pytest.mark.usefixtures('narrow')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A file of random weights for three classes."""
    from mmpretrain import get_model

    model = get_model(str(CONFIG), head=dict(num_classes=3))
    file = tmp_path_factory.mktemp('weights') / 'random.pth'
    meta = dict(dataset_meta=dict(classes=('ant', 'bee', 'cat')))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), file)
    return str(file)


@pytest.fixture
def test_run(checkpoint, image_folder, tmp_path):
    """Evaluate the random weights on the 12 images for validation and return the metrics."""

    def test(**options):
        settings = {'test_dataloader.num_workers': 1, 'test_dataloader.batch_size': 5, 'experiment_name': tmp_path.name}
        named = dict(checkpoints=[checkpoint], data=str(image_folder), cfg_options=settings, skip_broken=True)
        test_options = TestOptions(str(CONFIG), **{**named, 'work_dir': str(tmp_path / 'work'), **options})
        return RUNNERS.build(configure(test_options).cfg).test()

    return test


def break_files(folder, *names):
    for name in names:
        file = folder / 'val' / name
        file.write_bytes(file.read_bytes()[:400])


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['one', 'tta', 'ensemble'])
def test_broken_images_are_left_out_and_counted(test_run, image_folder, checkpoint, kind, capsys):
    options = dict(tta=kind == 'tta', checkpoints=[checkpoint] * (2 if kind == 'ensemble' else 1))
    break_files(image_folder, 'ant/1.jpg', 'cat/3.jpg')
    skipped = test_run(**options)
    named = re.findall(r'WARNING - \S*val/(\S+): .*; left out$', capsys.readouterr().out, re.MULTILINE)
    assert named == ['ant/1.jpg', 'cat/3.jpg']
    assert (skipped.pop('images'), skipped.pop('broken_images')) == (10, 2)
    for name in ('ant/1.jpg', 'cat/3.jpg'):
        (image_folder / 'val' / name).unlink()
    assert skipped == test_run(**options, skip_broken=False)


@pytest.mark.slow
def test_without_broken_images_nothing_changes_but_the_counts(test_run):
    metrics = test_run()
    assert (metrics.pop('images'), metrics.pop('broken_images')) == (12, 0)
    assert metrics == test_run(skip_broken=False)


@pytest.mark.slow
def test_without_the_option_the_first_broken_image_ends_the_test(test_run, image_folder):
    break_files(image_folder, 'bee/0.jpg')
    with pytest.raises(BrokenImageError, match=r'val/bee/0.jpg'):
        test_run(skip_broken=False)


@pytest.mark.slow
def test_a_test_of_broken_images_alone_is_an_error(test_run, image_folder):
    break_files(image_folder, *(f'{name}/{index}.jpg' for name in ('ant', 'bee', 'cat') for index in range(4)))
    with pytest.raises(InputError, match='none of the 12 images of the test can be decoded'):
        test_run()


def test_a_dataset_that_joins_others_is_refused(image_folder):
    joined = ConcatDataset([ImageFolder(str(image_folder), 'val')])
    runner = SimpleNamespace(test_dataloader=SimpleNamespace(dataset=joined))
    with pytest.raises(InputError, match='--skip-broken: expected a dataset of files, got ConcatDataset'):
        SkipBrokenHook().before_test(runner)


@pytest.mark.slow
def test_the_tool_names_the_file_in_one_line_or_writes_the_counts(tool, checkpoint, image_folder, tmp_path):
    break_files(image_folder, 'bee/2.jpg')
    command = ('test.py', CONFIG, checkpoint, '--data', image_folder)
    small = ('--cfg-options', 'test_dataloader.num_workers=1')
    result = tool(*command, *small)
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    assert re.search(r'^error: \S*val/bee/2.jpg: .+$', result.stderr, re.MULTILINE)
    result = tool(*command, '--skip-broken', '--out', 'm.json', '--out-item', 'metrics', *small)
    assert result.returncode == 0, result.stderr
    assert re.search(r'^images +11\nbroken_images +1$', result.stdout, re.MULTILINE)
    metrics = json.loads((tmp_path / 'm.json').read_text())
    assert (metrics['images'], metrics['broken_images']) == (11, 1)


@pytest.mark.slow
def test_two_processes_skip_as_one(tool, checkpoint, image_folder, tmp_path):
    break_files(image_folder, 'ant/0.jpg', 'bee/3.jpg', 'cat/1.jpg')
    options = ('--data', image_folder, '--skip-broken', '--out-item', 'metrics')
    small = ('--cfg-options', 'test_dataloader.num_workers=0')
    script = ('bash', REPOSITORY / 'tools/dist_test.sh', CONFIG, checkpoint, 2, *options, '--out', 'two.json', *small)
    two = run(*script, cwd=tmp_path, PYTHON=sys.executable)
    one = tool('test.py', CONFIG, checkpoint, *options, '--out', 'one.json', *small)
    assert (one.returncode, two.returncode) == (0, 0), one.stderr + two.stderr
    metrics = [json.loads((tmp_path / name).read_text()) for name in ('one.json', 'two.json')]
    assert metrics[0] == pytest.approx(metrics[1])
    assert (metrics[0]['images'], metrics[0]['broken_images']) == (9, 3)


@pytest.mark.slow
def test_validation_in_training_names_the_file_and_stops(tool, image_folder):
    break_files(image_folder, 'cat/0.jpg')
    small = ('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=8', 'val_dataloader.num_workers=1')
    result = tool('train.py', CONFIG, '--data', image_folder, '--work-dir', 'work', *small)
    assert result.returncode == 1
    assert re.search(r'^error: \S*val/cat/0.jpg: .+$', result.stderr, re.MULTILINE)
