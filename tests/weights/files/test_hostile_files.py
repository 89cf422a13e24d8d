"""Files that would do harm: refused in one line, at once, and nothing in them runs."""

import resource
import time

import pytest
from hostile import HOSTILE, HOSTILE_KERAS, HOSTILE_PARTS, config_text, created, endless_lists, in_archive, write

from mmpretrain_inception.datasets.file_list_dataset import FileListDataset
from mmpretrain_inception.engine.runner.checkpoint_files import list_checkpoints
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import class_names, open_weights

pytestmark = pytest.mark.filterwarnings('ignore:.*torch.jit:FutureWarning', 'ignore:.*torch.jit:DeprecationWarning')


@pytest.mark.parametrize('kind', HOSTILE)
def test_refused_at_once_and_nothing_runs(tmp_path, kind):
    path = write(kind, tmp_path / 'hostile.pth')
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()

    with pytest.raises(InputError, match=rf'hostile\.pth.*({HOSTILE[kind][1]})') as error:
        open_weights(path)

    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 200_000
    assert '\n' not in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))
    assert not created(path).exists()


@pytest.mark.parametrize('kind', HOSTILE_KERAS)
def test_keras_files_are_refused_likewise(tmp_path, kind):
    pytest.importorskip('h5py')
    path = write(kind, tmp_path / 'hostile.keras')
    start = time.process_time()

    with pytest.raises(InputError, match=rf'hostile\.keras.*({HOSTILE_KERAS[kind][1]})'):
        open_weights(path)

    assert time.process_time() - start < 5
    assert not created(path).exists()


@pytest.mark.parametrize('kind', HOSTILE_PARTS)
def test_parts_that_the_runner_would_trip_over_are_refused(tmp_path, kind):
    with pytest.raises(InputError, match=rf'hostile\.pth.*{HOSTILE_PARTS[kind][1]}'):
        open_weights(write(kind, tmp_path / 'hostile.pth'))


def test_what_mmengine_would_execute_on_resuming_is_left_out(tmp_path):
    config_text(tmp_path / 'hostile.pth')
    assert open_weights(tmp_path / 'hostile.pth').checkpoint['meta'] == dict(epoch=1, iter=1)


def test_a_list_that_is_filled_after_it_was_referred_to_is_refused(tmp_path):
    in_archive(endless_lists())(tmp_path / 'hostile.pth')
    with pytest.raises(InputError, match=r'hostile\.pth was not opened: it expands to more than'):
        open_weights(tmp_path / 'hostile.pth')


@pytest.mark.parametrize(
    ('meta', 'names'),
    [
        (dict(dataset_meta=dict(classes=('ant', 'bee'))), ('ant', 'bee')),
        (dict(dataset_meta=dict(classes=['ant'])), ('ant',)),
        ({}, ()),
        (dict(dataset_meta='text'), ()),
        (dict(dataset_meta=dict(classes='text')), ()),
        (dict(dataset_meta=dict(classes=[1, 2])), ()),
    ],
)
def test_class_names_are_taken_only_in_the_form_that_they_have(meta, names):
    assert class_names(meta) == names


@pytest.mark.parametrize('address', ['torchvision://resnet50', 'mmcls://x', 's3://bucket/x', 'open-mmlab:s3://x/y'])
def test_addresses_of_other_schemes_are_refused(address):
    with pytest.raises(InputError, match='expected a file or an address with http:// or https://'):
        open_weights(address)


@pytest.mark.parametrize(
    'named', ['../elsewhere/epoch_9.pth', '{outside}/epoch_9.pth', '..', '/', '', '\0', 'epoch_9.pth']
)
def test_a_work_directory_resumes_from_no_file_outside_it(tmp_path, named):
    outside, work = tmp_path / 'elsewhere', tmp_path / 'work'
    for folder in (outside, work):
        folder.mkdir()
    (outside / 'epoch_9.pth').touch()
    (work / 'epoch_1.pth').touch()
    (work / 'last_checkpoint').write_text(named.format(outside=outside))
    assert list_checkpoints(work) == [work / 'epoch_1.pth']


@pytest.mark.parametrize('line', ['../outside.jpg 0', '/etc/passwd 0', 'a/../../x.jpg 0'])
def test_a_list_of_images_names_none_outside_its_folder(tmp_path, line):
    (tmp_path / 'list.txt').write_text(f'inside.jpg 0\n{line}\n')
    with pytest.raises(InputError, match=r'list\.txt: line 2 is .*, which leads out of'):
        FileListDataset(data_root=str(tmp_path), data_prefix='images', ann_file='list.txt')
