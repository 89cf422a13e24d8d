import json
import pickle
import re
import sys

import pytest
import torch
from support import CONFIGS, REPOSITORY, TINY_DIGITS, run, run_tool

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'

# One worker, since most of them share a training run.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow'), pytest.mark.xdist_group('trained')]


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A folder in which two epochs were trained, and the log of that."""
    folder = tmp_path_factory.mktemp('trained')
    result = run(
        *(sys.executable, REPOSITORY / 'tools/train.py', DIGITS, '--work-dir', 'work'),
        *('--cfg-options', *TINY_DIGITS, 'train_cfg.max_epochs=2'),
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr
    (folder / 'shown.txt').write_text(result.stdout + result.stderr)
    (folder / 'out.txt').write_text(result.stdout)
    (log,) = folder.rglob('*.log')
    return folder, log.read_text()


def test_a_default_run_shows_one_screen_before_its_first_figures(trained):
    folder, _ = trained
    lines = (folder / 'out.txt').read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith('epoch 1/2'))
    assert first <= 15
    assert [line for line in lines[first:] if not re.match('(epoch [12]/2|best|model|next|or) ', line)] == []
    shown = (folder / 'shown.txt').read_text()
    # Neither of Python's warnings nor of the log's.
    assert re.findall('(?i).*warn.*', shown) == []


def last_accuracies(output):
    return re.findall(r'accuracy/top1: ([\d.]+)  accuracy/top5: ([\d.]+)', output)[-1]


def test_the_checkpoint_opens_in_the_safe_unpickler_and_names_the_classes(trained):
    folder, _ = trained
    checkpoint = torch.load(folder / 'work/epoch_2.pth', weights_only=True)
    assert checkpoint['meta']['dataset_meta']['classes'] == tuple('0123456789')
    assert checkpoint['message_hub']['log_scalars']['train/loss']['log_history'].numel() == 6


def test_training_logs_both_losses_and_accuracy_and_no_initialisation(trained):
    _, output = trained
    assert re.search(r'loss: [\d.]+  loss_aux: [\d.]+  accuracy_top-1: [\d.]+', output)
    assert re.search(r'lr: \S+  eta: \S+  time: \S+ .* images_per_s: [\d.]+', output)
    assert re.search(r'Epoch\(val\).* single-label/cross_entropy: [\d.]+', output)
    assert 'init_cfg' not in output
    assert 'Initialized by' not in output


def test_training_warns_of_nothing_of_ours(trained):
    _, output = trained
    # mmengine's own hook uses what mmengine deprecates.
    warnings = [line for line in output.splitlines() if 'warn' in line.lower() and 'will be deprecated' not in line]
    assert warnings == []


def test_testing_gives_the_accuracy_of_the_last_validation(trained, tool, tmp_path):
    folder, output = trained
    result = tool(
        *('test.py', DIGITS, 'work/epoch_2.pth', '--out', tmp_path / 'metrics.json', '--out-item', 'metrics'),
        *('--cfg-options', *TINY_DIGITS),
        cwd=folder,
    )
    assert result.returncode == 0, result.stderr
    shown = re.findall(r'^accuracy/top[15] +([\d.]+)$', result.stdout, re.MULTILINE)
    assert tuple(shown) == last_accuracies(output)
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert f'{metrics["accuracy/top1"]:.4f}' == last_accuracies(output)[0]


@pytest.mark.parametrize('option', ['--tta', '--show-dir'])
def test_predictions_are_written_with_and_without_tta_and_images_are_shown(trained, tool, tmp_path, option):
    folder, _ = trained
    shown = (tmp_path / 'shown',) if option == '--show-dir' else ()
    options = (option, *shown, '--out', tmp_path / 'predictions.pkl')
    result = tool('test.py', DIGITS, 'work/epoch_2.pth', *options, '--cfg-options', *TINY_DIGITS, cwd=folder)
    assert result.returncode == 0, result.stderr
    predictions = pickle.loads((tmp_path / 'predictions.pkl').read_bytes())
    assert len(predictions) == 48
    assert predictions[0]['pred_score'].sum().item() == pytest.approx(1, abs=1e-5)
    assert len(list((tmp_path / 'shown').rglob('*.png'))) == 48 * len(shown)


def test_stopped_and_resumed_equals_uninterrupted(trained, tool, tmp_path):
    folder, _ = trained
    options = ('--work-dir', tmp_path / 'work', '--cfg-options', *TINY_DIGITS)
    for resume, epochs in ((), 1), (('--resume',), 2):
        result = tool('train.py', DIGITS, *resume, *options, f'train_cfg.max_epochs={epochs}', cwd=folder)
        assert result.returncode == 0, result.stderr
    expected, resumed = (torch.load(path / 'work/epoch_2.pth', weights_only=True) for path in (folder, tmp_path))
    for part in ('state_dict', 'optimizer'):
        torch.testing.assert_close(resumed[part], expected[part], rtol=0, atol=0)


def test_amp_trains_in_bfloat16_on_a_cpu_and_is_tested_so(trained, tool):
    folder, _ = trained
    options = ('--amp', 'force', '--work-dir', 'amp', '--verbose', '--cfg-options', *TINY_DIGITS)
    result = tool('train.py', DIGITS, *options, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "type='mmpretrain_inception.BF16OptimWrapper'" in result.stdout
    result = tool('test.py', DIGITS, 'amp/epoch_1.pth', *options, cwd=folder)
    assert result.returncode == 0, result.stderr


def test_one_option_writes_for_tensorboard(tool, tmp_path):
    pytest.importorskip('tensorboard')
    options = (*TINY_DIGITS, 'visualizer.vis_backends.0.type=TensorboardVisBackend')
    result = tool('train.py', DIGITS, '--work-dir', 'work', '--cfg-options', *options)
    assert result.returncode == 0, result.stderr
    (events,) = (tmp_path / 'work').rglob('events.out.tfevents.*')
    assert b'accuracy/top1' in events.read_bytes()


def test_two_processes_train_and_evaluate_as_one(trained, tmp_path):
    folder, _ = trained
    # 47 images do not divide by two.
    options = (
        *('--verbose', '--cfg-options', *TINY_DIGITS),
        *('val_dataloader.dataset.indices=47', 'test_dataloader.dataset.indices=47'),
    )
    script = REPOSITORY / 'tools/dist_train.sh'
    two = run('bash', script, DIGITS, 2, '--work-dir', tmp_path, *options, cwd=folder, PYTHON=sys.executable)
    assert two.returncode == 0, two.stderr
    one = run_tool('test.py', DIGITS, tmp_path / 'epoch_1.pth', *options, cwd=folder)
    assert last_accuracies(two.stdout) == last_accuracies(one.stdout)


def test_own_images_train_with_their_classes_and_test(tool, tmp_path, image_folder):
    config = CONFIGS / 'inception-v3_1xb32_folder.py'
    small = (
        *('--cfg-options', 'train_cfg.max_epochs=1', 'train_dataloader.batch_size=8'),
        *('train_dataloader.dataset.pipeline.1.scale=75', 'val_dataloader.dataset.pipeline.2.crop_size=80'),
        'test_dataloader.dataset.pipeline.2.crop_size=80',
    )
    result = tool('train.py', config, '--data', image_folder, '--weights', 'none', '--work-dir', 'work', *small)
    assert result.returncode == 0, result.stderr
    assert result.stdout.count('top-5 accuracy needs more than 3 classes') == 1
    assert re.search(r'^epoch 1/1 .* top3 100 .* best$', result.stdout, re.MULTILINE)
    checkpoint = torch.load(tmp_path / 'work/epoch_1.pth', weights_only=True)
    assert checkpoint['meta']['dataset_meta']['classes'] == ('ant', 'bee', 'cat')
    assert checkpoint['state_dict']['head.fc.weight'].shape[0] == 3

    # The labels are the checkpoint's, also where the folder lacks the first class and the training images.
    for name in ('train', 'val/ant'):
        (image_folder / name).rename(tmp_path / name.replace('/', '-'))
    result = tool('test.py', config, 'work/epoch_1.pth', '--data', image_folder, '--out', 'predictions.pkl', *small)
    assert result.returncode == 0, result.stderr
    assert 'no images of ant' in result.stdout


def test_fine_tuning_takes_a_checkpoint_with_other_classes(trained, tool, image_folder, tmp_path):
    folder, _ = trained
    pretrained = torch.load(folder / 'work/epoch_2.pth', weights_only=True)['state_dict']
    result = tool(
        *('train.py', CONFIGS / 'inception-v3_1xb32_folder.py', '--data', image_folder, '--work-dir', 'work'),
        *('--weights', folder / 'work/epoch_2.pth', '--cfg-options', 'train_cfg.max_epochs=1'),
        *('model.backbone.frozen_stages=2', 'model.backbone.norm_eval=True', 'train_dataloader.batch_size=24'),
        *('train_dataloader.dataset.pipeline.1.scale=75', '--no-validate'),
    )
    assert result.returncode == 0, result.stderr
    tuned = torch.load(tmp_path / 'work/epoch_1.pth', weights_only=True)['state_dict']
    frozen, later = 'backbone.Mixed_5d.branch1x1.conv.weight', 'backbone.Mixed_7c.branch1x1.conv.weight'
    statistics = 'backbone.Mixed_7c.branch1x1.bn.running_mean'
    assert torch.equal(tuned[frozen], pretrained[frozen])
    assert torch.equal(tuned[statistics], pretrained[statistics])
    assert not torch.equal(tuned[later], pretrained[later])
