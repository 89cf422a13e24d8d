"""The paper's and the modern recipe, on a folder of 24 images."""

import json
import re

import pytest
import torch
from mmengine.config import Config
from support import CONFIGS

pytestmark = pytest.mark.usefixtures('narrow')

PAPER = CONFIGS / 'inception-v3-paper_1xb64_folder-75px.py'
MODERN = CONFIGS / 'inception-v3-modern_1xb64_folder-75px.py'
SMALL = ('train_dataloader.batch_size=8', 'train_cfg.max_epochs=2', 'default_hooks.logger.interval=1')
# Batch-norm statistics of this many steps alone would say nothing.
FAST_STATISTICS = [
    f'model.{part}.norm_cfg.{setting}' for part in ('backbone', 'head') for setting in ('type=BN', 'momentum=0.5')
]


def load(folder, epoch):
    return torch.load(folder / f'epoch_{epoch}.pth', map_location='cpu', weights_only=True)


@pytest.fixture
def train(tool, image_folder):
    def run(config, work_dir, *arguments, options=SMALL):
        result = tool(
            'train.py',
            config,
            '--data',
            image_folder,
            '--work-dir',
            work_dir,
            *arguments,
            '--verbose',
            '--cfg-options',
            *options,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


@pytest.mark.slow
def test_a_run_saves_the_average_safely_and_the_test_tool_evaluates_it(train, tool, image_folder, tmp_path):
    def cross_entropy(weights):
        result = tool('test.py', PAPER, weights, '--data', image_folder, '--out', 'm.json', '--out-item', 'metrics')
        assert result.returncode == 0, result.stderr
        metrics = json.loads((tmp_path / 'm.json').read_text())
        return next(value for name, value in metrics.items() if name.endswith('cross_entropy'))

    output = train(PAPER, tmp_path / 'work', options=(*SMALL, *FAST_STATISTICS, 'train_cfg.val_interval=2'))
    checkpoint = load(tmp_path / 'work', 2)
    averaged = checkpoint.pop('ema_state_dict')
    assert averaged.pop('steps') == 6
    trained = {name.removeprefix('module.'): value for name, value in averaged.items()}
    assert trained.keys() == checkpoint['state_dict'].keys()

    validated = float(re.search(r'Epoch\(val\) \[2\].*cross_entropy: ([\d.]+)', output)[1])
    assert cross_entropy(tmp_path / 'work' / 'epoch_2.pth') == pytest.approx(validated, abs=1e-4)
    checkpoint['state_dict'] = trained
    torch.save(checkpoint, tmp_path / 'trained.pth')
    assert cross_entropy('trained.pth') != pytest.approx(validated, rel=0.01)


@pytest.mark.slow
def test_a_resumed_run_ends_as_an_uninterrupted_one(train, tmp_path):
    train(PAPER, tmp_path / 'whole')
    train(PAPER, tmp_path / 'parts', '--resume', tmp_path / 'whole' / 'epoch_1.pth')
    whole, parts = load(tmp_path / 'whole', 2), load(tmp_path / 'parts', 2)
    for part in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(value, parts[part][name]) for name, value in whole[part].items())
    optimizers = whole['optimizer'], parts['optimizer']
    for index, state in optimizers[0]['state'].items():
        assert all(torch.equal(value, optimizers[1]['state'][index][name]) for name, value in state.items())


@pytest.mark.slow
def test_the_modern_recipe_trains_without_the_auxiliary_classifier(train, tmp_path):
    output = train(MODERN, tmp_path / 'work', options=(*SMALL, 'model.head.with_aux=False'))
    assert re.search(r'loss: [\d.]+  accuracy_top-1', output)
    assert 'loss_aux' not in output
    assert not any('AuxLogits' in name for name in load(tmp_path / 'work', 2)['state_dict'])


@pytest.mark.slow
def test_mixtures_of_images_train_both_classifiers(train, tmp_path):
    mixtures = Config.fromfile(CONFIGS / 'inception-v3-modern_8xb128_in1k.py').model.train_cfg.to_dict()
    (tmp_path / 'mixed.py').write_text(f'_base_ = {str(MODERN)!r}\nmodel = dict(train_cfg={mixtures!r})\n')
    output = train(tmp_path / 'mixed.py', tmp_path / 'work')
    assert re.search(r'loss: [\d.]+  loss_aux: [\d.]+', output)
    assert 'accuracy_top-1' not in output
