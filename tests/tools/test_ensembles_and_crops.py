import pickle
import sys
from functools import cache
from pathlib import Path

import mmpretrain
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from support import CONFIGS, run, run_tool

from mmpretrain_inception.datasets.digits import write_digits

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
REPARAMETERIZE = Path(mmpretrain.__file__).parent / '.mim/tools/model_converters/reparameterize_model.py'
MULTI_CROP = CONFIGS.parent / '_base_/tta/multi-crop-12_299px.py'
FEW = ('--cfg-options', 'test_dataloader.dataset.indices=4', 'test_dataloader.batch_size=3')

# One worker, since they share the folder.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow'), pytest.mark.xdist_group('ensembles')]


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with two checkpoints of random weights and three configs of digits."""
    folder = tmp_path_factory.mktemp('ensembles')
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = MODELS.build(Config.fromfile(DIGITS).model)
        for name, tensor in model.state_dict().items():
            if name.endswith('conv.weight'):
                tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
            if name == 'head.fc.weight':
                tensor.normal_(std=0.1)
        meta = dict(dataset_meta=dict(classes=tuple('0123456789')))
        # What EMAHook stores beside the average, which is the state dict.
        unaveraged = {f'module.{name}': torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
        torch.save(
            dict(state_dict=model.state_dict(), ema_state_dict={**unaveraged, 'steps': torch.tensor(1)}, meta=meta),
            folder / f'{seed}.pth',
        )
    write_digits(folder / 'data/digits')
    crops = f"_base_ = ['{DIGITS}', '{MULTI_CROP}']\ntta_model = dict(crop_size=75)\n"
    (folder / 'crops.py').write_text(crops)
    (folder / 'half.py').write_text(crops + 'data_preprocessor = dict(mean=[127.5] * 3, std=[127.5] * 3)\n')
    (folder / 'ensemble.py').write_text(
        "_base_ = 'crops.py'\n"
        "ensemble = [dict(checkpoint='0.pth'), dict(config='{{ fileDirname }}/half.py', checkpoint='1.pth')]\n"
    )
    return folder


@pytest.fixture(scope='module')
def scores(folder):
    """Evaluate, once for the same options, and return the scores of each image that --out writes."""

    @cache
    def evaluate(config, *options):
        result = run_tool('test.py', config, *options, '--out', 'predictions.pkl', *FEW, cwd=folder)
        assert result.returncode == 0, result.stdout + result.stderr
        assert 'accuracy/top1' in result.stdout
        predictions = pickle.loads((folder / 'predictions.pkl').read_bytes())
        return torch.stack([prediction['pred_score'] for prediction in predictions])

    return evaluate


@pytest.mark.parametrize('tta', [(), ('--tta',)], ids=['one crop', 'mirror'])
def test_two_checkpoints_give_the_average_of_what_each_gives(scores, tta):
    first, second = (scores(DIGITS, f'{seed}.pth', *tta) for seed in (0, 1))
    # Options may stand between the checkpoints.
    both = scores(DIGITS, '0.pth', *tta, '--work-dir', 'work', '1.pth')
    torch.testing.assert_close(both, (first + second) / 2, rtol=1e-5, atol=1e-6)
    assert (first - second).abs().max() > 0.01
    assert both.shape == (4, 10)


@pytest.mark.parametrize('tta', [(), ('--tta',)], ids=['one crop', '12 crops'])
def test_a_config_of_an_ensemble_gives_the_average_over_its_members_and_their_configs(scores, tta):
    first, second = scores('crops.py', '0.pth', *tta), scores('half.py', '1.pth', *tta)
    torch.testing.assert_close(scores('ensemble.py', *tta), (first + second) / 2, rtol=1e-5, atol=1e-6)
    exchanged = scores('ensemble.py', '1.pth', '0.pth', *tta)
    assert (exchanged - (first + second) / 2).abs().max() > 1e-4


def test_many_crops_change_the_scores(scores):
    assert (scores('crops.py', '0.pth', '--tta') - scores('crops.py', '0.pth')).abs().max() > 1e-4


@pytest.mark.parametrize(
    'command',
    [(DIGITS, '0.pth'), (DIGITS, '0.pth', '--amp', 'force'), ('ensemble.py', '--tta')],
    ids=['one model', 'bfloat16', 'an ensemble on 12 crops'],
)
def test_the_deploy_form_gives_the_same_scores(scores, command):
    expected, deployed = scores(*command), scores(*command, '--deploy')
    torch.testing.assert_close(deployed, expected, rtol=0, atol=0.02 if '--amp' in command else 1e-5)
    assert not torch.equal(deployed, expected)


def test_a_checkpoint_of_mmpretrains_reparameterize_tool_gives_the_same_scores(scores, folder):
    result = run(sys.executable, REPARAMETERIZE, DIGITS, '0.pth', 'folded.pth', cwd=folder)
    assert result.returncode == 0, result.stderr
    (folder / 'folded.py').write_text(f"_base_ = '{DIGITS}'\nmodel = dict(backbone=dict(deploy=True))\n")
    torch.testing.assert_close(scores('folded.py', 'folded.pth'), scores(DIGITS, '0.pth'), rtol=0, atol=1e-5)


def test_listed_images_are_left_out(tool, folder):
    options = (
        *('--cfg-options', 'test_dataloader.dataset.type=mmpretrain_inception.ImageNetSubset'),
        *('test_dataloader.dataset.excluded=excluded.txt', 'test_dataloader.dataset.classes=[0,1,2,3,4,5,6,7,8,9]'),
    )
    names = sorted(path.name for path in (folder / 'data/digits/val').rglob('*.png'))
    (folder / 'excluded.txt').write_text('\n'.join(names[:300]))
    result = tool('test.py', DIGITS, '0.pth', '--out', 'left.pkl', *options, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert 'excluded.txt: 300 of 355 images left out' in result.stdout
    left = pickle.loads((folder / 'left.pkl').read_bytes())
    assert sorted(sample['img_path'].split('/')[-1] for sample in left) == names[300:]


@pytest.mark.parametrize(
    ('arguments', 'status', 'message'),
    [
        ((DIGITS,), 2, 'expected a checkpoint after the config'),
        (('ensemble.py', '0.pth'), 2, 'its ensemble has 2 members'),
        ((DIGITS, '0.pth', 'other.pth'), 1, 'got 1 as class 1 in {folder}/0.pth and 7 in {folder}/other.pth'),
        ((DIGITS, '0.pth', 'absent.pth'), 1, 'absent.pth'),
        ((DIGITS, '0.pth', 'short.pth'), 1, 'short.pth does not fill the model'),
    ],
)
def test_ensembles_that_cannot_be(tool, folder, arguments, status, message):
    state_dict = torch.load(folder / '0.pth', weights_only=True)['state_dict']
    meta = dict(dataset_meta=dict(classes=tuple('0723456189')))
    torch.save(dict(state_dict=state_dict, meta=meta), folder / 'other.pth')
    del state_dict['head.fc.bias']
    torch.save(state_dict, folder / 'short.pth')
    result = tool('test.py', *arguments, cwd=folder)
    assert result.returncode == status
    assert 'Traceback' not in result.stderr
    error = result.stderr[result.stderr.index('error: ') :]
    assert message.format(folder=folder) in error
    assert len(error.strip().splitlines()) == 1
