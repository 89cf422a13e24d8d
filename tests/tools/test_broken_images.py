import pytest
import torch
from support import CONFIGS

FOLDER = CONFIGS / 'inception-v3-mmpretrain_1xb64_folder-75px.py'
SMALL = ('train_dataloader.batch_size=8', 'train_dataloader.num_workers=2', 'train_cfg.max_epochs=2')

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]


@pytest.fixture
def rotten_folder(image_folder):
    """One of 24 images to train on is cut short, another is empty."""
    (image_folder / 'train/bee/1.jpg').write_bytes((image_folder / 'train/bee/0.jpg').read_bytes()[:600])
    (image_folder / 'train/cat/1.jpg').write_bytes(b'')
    return image_folder


def test_training_goes_on_past_broken_images_and_names_each_once(tool, rotten_folder, tmp_path):
    result = tool('train.py', FOLDER, '--data', rotten_folder, '--work-dir', 'work', '--cfg-options', *SMALL)
    assert result.returncode == 0, result.stderr
    for name in ('bee/1.jpg', 'cat/1.jpg'):
        (line,) = [line for line in result.stdout.splitlines() if name in line]
        assert line.startswith('warning: ')
        assert line.endswith('replaced by another image')
    assert len((tmp_path / 'work/broken_images.txt').read_text().splitlines()) == 2
    info = torch.load(tmp_path / 'work/epoch_2.pth', weights_only=True)['message_hub']['runtime_info']
    assert info['images_seen'] == 2 * 24
    assert len(info['broken_images']) == 2


def test_above_the_share_the_run_stops_with_one_error_and_a_list(tool, rotten_folder, tmp_path):
    result = tool(
        *('train.py', FOLDER, '--data', rotten_folder, '--work-dir', 'work', '--cfg-options', *SMALL),
        'default_hooks.broken_images.max_share=0.001',
    )
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    assert '2 of 16 images cannot be decoded, more than the 0.10% that' in result.stderr
    assert len((tmp_path / 'work/broken_images.txt').read_text().splitlines()) == 2
