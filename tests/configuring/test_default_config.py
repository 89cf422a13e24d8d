import pytest

from mmpretrain_inception.configuring.config_file import load_config
from mmpretrain_inception.configuring.default_config import choose_config, find_config
from mmpretrain_inception.configuring.options import TestOptions, TrainOptions
from mmpretrain_inception.errors import UsageError


def test_training_on_a_folder_needs_no_config():
    options, notes = choose_config(TrainOptions(data='photos', epochs=5))
    assert 'image_folder' in load_config(options.config)
    assert (options.data, options.epochs) == ('photos', 5)
    assert notes == ('config: inception-v3_1xb32_folder.py, which is for images of your own',)


def test_a_config_that_is_named_is_taken():
    assert choose_config(TrainOptions('c.py', data='photos')) == (TrainOptions('c.py', data='photos'), ())


def test_training_needs_a_config_or_data():
    with pytest.raises(UsageError, match='expected a config, or --data DIR'):
        choose_config(TrainOptions())


def test_a_checkpoint_alone_is_tested_with_the_config_beside_it(tmp_path):
    checkpoint, config = tmp_path / 'epoch_1.pth', tmp_path / 'mine.py'
    checkpoint.touch()
    config.touch()
    options, notes = find_config(TestOptions(str(checkpoint)))
    assert (options.config, options.checkpoints) == (str(config), (str(checkpoint),))
    assert notes == (f'config: {config}, which the run of the checkpoint wrote',)


@pytest.mark.parametrize(('names', 'found'), [((), 'got none'), (('a.py', 'b.py'), 'got a.py, b.py')])
def test_without_one_config_beside_it_both_are_needed(tmp_path, names, found):
    for name in ('epoch_1.pth', *names):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=f'epoch_1.pth: expected the config of its run in the same folder, {found}'):
        find_config(TestOptions(str(tmp_path / 'epoch_1.pth')))


@pytest.mark.parametrize(
    'options', [TestOptions('c.py'), TestOptions('c.py', checkpoints=('a.pth',)), TestOptions('package::c.py')]
)
def test_a_config_stays_one(options):
    assert find_config(options) == (options, ())
