import shutil
import sys

import pytest
from support import CONFIGS, REPOSITORY, TINY_DIGITS, run

DIGITS = CONFIGS / 'inception-v3_1xb64_digits-75px.py'
FOLDER = CONFIGS / 'inception-v3_1xb32_folder.py'

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow')]


def assert_refused(result, status, *expected):
    """The last one or two lines are the message; there is no traceback."""
    assert result.returncode == status, result.stdout + result.stderr
    assert 'Traceback' not in result.stderr
    message = result.stderr[result.stderr.index('error: ') :]
    assert len(message.strip().splitlines()) <= 2
    for part in expected:
        assert part in message


def test_a_config_that_does_not_exist(tool):
    assert_refused(tool('train.py', 'no.py'), 2, 'no.py', 'expected a config file')


def test_a_config_that_is_broken(tool, tmp_path):
    (tmp_path / 'broken.py').write_text('model = dict(')
    assert_refused(tool('train.py', 'broken.py'), 1, 'broken.py', 'SyntaxError')


def test_an_own_folder_config_without_data(tool):
    assert_refused(tool('train.py', FOLDER), 2, 'needs --data PATH')


def test_data_for_a_config_that_has_its_own(tool, image_folder):
    assert_refused(
        tool('train.py', DIGITS, '--data', image_folder), 2, '--data is for configs that declare image_folder'
    )


def test_a_data_folder_that_is_missing(tool):
    assert_refused(tool('train.py', FOLDER, '--data', 'nowhere'), 1, 'nowhere', 'train/<class>/*')


def test_a_data_folder_that_is_empty(tool, tmp_path):
    (tmp_path / 'empty/train').mkdir(parents=True)
    assert_refused(tool('train.py', FOLDER, '--data', 'empty'), 1, 'empty/train', 'there is no folder in it')


def test_a_data_folder_without_images(tool, tmp_path):
    for name in ('train/ant', 'train/bee', 'val/ant'):
        (tmp_path / 'bare' / name).mkdir(parents=True)
    assert_refused(tool('train.py', FOLDER, '--data', 'bare', '--weights', 'none'), 1, 'bare/train', 'found none')


def test_a_data_folder_with_one_class(tool, image_folder):
    for name in ('bee', 'cat'):
        shutil.rmtree(image_folder / 'train' / name)
    assert_refused(tool('train.py', FOLDER, '--data', image_folder), 1, 'at least two classes', 'only ant')


def test_a_class_in_val_that_train_lacks(tool, image_folder):
    shutil.rmtree(image_folder / 'train' / 'bee')
    result = tool('train.py', FOLDER, '--data', image_folder, '--weights', 'none')
    assert_refused(result, 1, 'images/val', 'ant, cat', 'also holds bee')


def test_fewer_classes_in_the_model_than_labels(tool):
    result = tool('train.py', DIGITS, '--cfg-options', *TINY_DIGITS[:1], 'model.head.num_classes=7')
    assert_refused(result, 1, 'model.head.num_classes is 7', 'labels up to 9', 'num_classes=10')


@pytest.mark.parametrize('option', ['test', 'load_from', 'resume'])
def test_a_checkpoint_that_is_not_one(tool, tmp_path, option):
    (tmp_path / 'text.pth').write_text('this is no checkpoint')
    command = {
        'test': ('test.py', DIGITS, 'text.pth'),
        'load_from': ('train.py', DIGITS, '--cfg-options', 'load_from=text.pth'),
        'resume': ('train.py', DIGITS, '--resume', 'text.pth'),
    }[option]
    assert_refused(tool(*command), 1, 'text.pth')


def test_imagenet_that_is_not_there(tool):
    result = tool('train.py', CONFIGS / 'inception-v3_8xb32_in1k.py')
    assert_refused(result, 1, 'data/imagenet/train: expected a folder with one folder of images for each class')


def test_a_checkpoint_that_does_not_exist(tool):
    assert_refused(tool('test.py', DIGITS, 'absent.pth'), 1, 'absent.pth')


def test_images_that_the_pipeline_leaves_too_small(tool):
    small = 'train_dataloader.dataset.pipeline.1.scale=74'
    result = tool('train.py', DIGITS, '--cfg-options', *TINY_DIGITS, small)
    assert_refused(result, 1, 'at least 75 x 75 pixels', '74 x 74')


def test_resume_with_nothing_to_resume_from(tool):
    assert_refused(tool('train.py', DIGITS, '--resume', '--work-dir', 'new'), 1, 'new', '--resume expects')


def test_out_item_without_out(tool):
    result = tool('test.py', DIGITS, 'c.pth', '--out-item', 'metrics')
    assert result.returncode == 2
    assert '--out FILE is missing' in result.stderr


def test_help_imports_no_torch(tmp_path):
    for name in sorted(
        path.name for path in (REPOSITORY / 'tools').glob('*.py') if path.stem not in ('arguments', 'huge_pages')
    ):
        result = run(sys.executable, REPOSITORY / 'tests/tools/print_modules.py', name, cwd=tmp_path)
        assert 'usage:' in result.stdout
        assert 'torch imported: False' in result.stdout
