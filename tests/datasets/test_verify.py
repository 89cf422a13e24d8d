import faulthandler
import json
import os
import signal
import time

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmpretrain_inception.datasets import LoadImage
from mmpretrain_inception.datasets.process_calls import Lost, call_in_processes
from mmpretrain_inception.datasets.verify import (
    BrokenImage,
    config_sources,
    find_broken,
    folder_source,
    summarize,
    write_report,
)
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.wording import printable


def act(argument):
    faulthandler.disable()
    if argument == 'crash':
        os.kill(os.getpid(), signal.SIGSEGV)
    if argument == 'leave':
        os._exit(7)
    if argument == 'hang':
        time.sleep(60)
    return argument.upper()


@pytest.mark.parametrize('processes', [1, 3])
def test_every_argument_gets_its_result_once(processes):
    arguments = [f'{number}x' for number in range(50)]
    results = dict(call_in_processes(act, arguments, processes, limit=60))
    assert results == {argument: argument.upper() for argument in arguments}


@pytest.mark.parametrize(
    ('argument', 'reason'),
    [('crash', 'the decoder crashed (SIGSEGV)'), ('leave', 'the decoder crashed (exit status 7)')],
)
def test_a_process_that_ends_costs_its_own_call_alone(argument, reason):
    results = dict(call_in_processes(act, ['a', argument, 'b', 'c'], 2, limit=60))
    assert results == {'a': 'A', argument: Lost(reason), 'b': 'B', 'c': 'C'}


def test_a_call_that_does_not_end_is_given_up():
    results = dict(call_in_processes(act, ['a', 'hang', 'b'], 1, limit=1))
    assert results == {'a': 'A', 'hang': Lost('it takes longer than 1 s'), 'b': 'B'}


def test_no_process_is_left_when_the_caller_stops():
    results = call_in_processes(lambda _: os.getpid(), range(10), 2, limit=60)
    _, process = next(results)
    results.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def break_files(folder):
    """Cut one file, empty one, and put text in the place of one."""
    cut, empty, text = (folder / name for name in ('val/ant/0.jpg', 'train/bee/3.jpg', 'train/cat/5.jpg'))
    cut.write_bytes(cut.read_bytes()[:-500])
    empty.write_bytes(b'')
    text.write_text('this is no image')
    return [str(path) for path in (empty, text, cut)]


def test_broken_files_are_found_at_their_positions_with_what_is_known(image_folder):
    broken = break_files(image_folder)
    source = folder_source(str(image_folder))
    found = find_broken(source.paths, source.load, 2)
    assert len(source.paths) == 36
    assert [image.path for image in found.values()] == broken == [source.paths[index] for index in found]
    empty, text, cut = found.values()
    assert (empty.reason, empty.bytes, empty.format) == ('the file is empty', 0, None)
    assert text.reason == 'it is not an image of a known format'
    assert cut == BrokenImage(cut.path, cut.reason, os.path.getsize(cut.path), 'JPEG', 'RGB', 80, 90)
    assert 'truncated' in cut.reason


def test_a_file_whose_decoding_crashes_is_named(image_folder):
    def load(results):
        faulthandler.disable()
        if results['img_path'].endswith('ant/2.jpg'):
            os.abort()

    found = find_broken(folder_source(str(image_folder / 'train')).paths, load, 2)
    ((_, image),) = found.items()
    assert image.path.endswith('train/ant/2.jpg')
    assert image.reason == 'the decoder crashed (SIGABRT)'
    assert image.bytes > 0


def test_files_are_decoded_as_the_pipeline_does(image_folder):
    source = folder_source(str(image_folder))
    assert find_broken(source.paths[:3], source.load, 1) == {}
    found = find_broken(source.paths[:3], LoadImage(max_pixels=90 * 80 - 1), 1)
    assert [image.reason for image in found.values()] == ['expected at most 7,199 pixels, got 80 x 90'] * 3


def test_a_folder_is_walked_once_by_endings_at_any_depth(tmp_path):
    deep = tmp_path / 'a/b'
    deep.mkdir(parents=True)
    (deep / 'up').symlink_to(tmp_path)
    for name in ('x.JPG', 'y.png', 'notes.txt', '._x.jpg'):
        (deep / name).write_bytes(b'')
    assert folder_source(str(tmp_path)).paths == [str(deep / 'x.JPG'), str(deep / 'y.png')]


def test_a_folder_without_images(tmp_path):
    with pytest.raises(InputError, match=r'expected images \(.*\), found none'):
        folder_source(str(tmp_path))


def dataset(folder, split, **pipeline):
    step = dict(type='mmpretrain_inception.LoadImage', **pipeline)
    return dict(type='mmpretrain_inception.ImageFolder', data_root=str(folder), data_prefix=split, pipeline=[step])


def test_a_config_gives_the_files_of_its_datasets_once_with_their_loading(image_folder):
    repeated = dict(type='RepeatDataset', times=2, dataset=dataset(image_folder, 'train', imdecode_backend='pillow'))
    val = dict(dataset=dataset(image_folder, 'val', min_size=40))
    sources = config_sources(
        Config(dict(train_dataloader=dict(dataset=repeated), val_dataloader=val, test_dataloader=val))
    )
    assert [(source.name, len(source.paths)) for source in sources] == [('train', 24), ('val', 12)]
    assert sources[1].paths[0] == str(image_folder / 'val/ant/0.jpg')
    assert [source.load.imdecode_backend for source in sources] == ['pillow', 'cv2']
    assert sources[1].load.min_size == 40


def test_a_dataset_without_files_is_refused(image_folder):
    bare = {**dataset(image_folder, 'train'), 'pipeline': []}
    with pytest.raises(InputError, match='train: expected a dataset of image files'):
        config_sources(Config(dict(train_dataloader=dict(dataset=bare))))


def test_the_summary_counts_reasons_and_reports_hold_all(tmp_path):
    broken = [BrokenImage(f'{name}.jpg', reason, 5, None, None, None, None) for name, reason in ('ae', 'be', 'ct')]
    assert summarize(1234, broken) == '1,234 files checked, 3 broken\n       2  e\n       1  t'
    write_report(str(tmp_path / 'r.json'), 1234, broken)
    report = json.loads((tmp_path / 'r.json').read_text())
    assert (report['files'], report['broken']) == (1234, 3)
    assert report['images'][2] == dict(
        path='c.jpg', reason='t', bytes=5, format=None, mode=None, width=None, height=None
    )
    write_report(str(tmp_path / 'r.txt'), 1234, broken)
    assert (tmp_path / 'r.txt').read_text() == 'a.jpg\nb.jpg\nc.jpg\n'


def test_a_name_that_is_no_text_is_reported(tmp_path):
    path = os.fsdecode(bytes(tmp_path) + b'/\xff.png')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / 'a.png').rename(path)
    assert find_broken([path], LoadImage(), 1) == {}
    with open(path, 'wb'):
        pass
    write_report(str(tmp_path / 'r.txt'), 1, list(find_broken([path], LoadImage(), 1).values()))
    assert (tmp_path / 'r.txt').read_bytes() == os.fsencode(path) + b'\n'


def test_pipes_and_missing_files_are_named_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / 'pipe.jpg')
    (tmp_path / 'gone.jpg').symlink_to(tmp_path / 'unmounted.jpg')
    (tmp_path / 'folder.jpg').mkdir()
    cv2.imwrite(str(tmp_path / 'folder.jpg/1.png'), np.zeros((9, 9, 3), np.uint8))
    source = folder_source(str(tmp_path))
    assert len(source.paths) == 3
    found = find_broken(source.paths, source.load, 2, limit=5)
    assert [(os.path.basename(image.path), image.reason) for image in found.values()] == [
        ('gone.jpg', 'No such file or directory'),
        ('pipe.jpg', 'expected a file, got a device, pipe or socket'),
    ]


@pytest.mark.parametrize('title', ['[/]', '[bold', 'caf\udce9', '\x1b[31m', 'a' * 300 + '[/red]'])
def test_a_title_is_shown_as_it_is(image_folder, title, capfd):
    source = folder_source(str(image_folder / 'val'))
    assert find_broken(source.paths, source.load, 1, title) == {}
    assert printable(title)[-6:] in capfd.readouterr().err


def test_a_list_without_files_has_no_broken_ones():
    assert find_broken([], LoadImage(), 2) == {}


def test_a_path_with_a_line_break_is_not_written_as_two(tmp_path):
    paths = ['a.jpg', 'b\n/etc/passwd.jpg', 'c.jpg']
    broken = [BrokenImage(path, 'e', None, None, None, None, None) for path in paths]
    with pytest.raises(InputError, match=r'r\.txt lacks b\\n/etc/passwd\.jpg: .* write a \.json file'):
        write_report(str(tmp_path / 'r.txt'), 3, broken)
    assert (tmp_path / 'r.txt').read_text() == 'a.jpg\nc.jpg\n'
    write_report(str(tmp_path / 'r.json'), 3, broken)
    assert [image['path'] for image in json.loads((tmp_path / 'r.json').read_text())['images']] == paths


def test_the_function_need_not_be_picklable_and_what_it_raises_goes_on():
    def fail(argument):
        raise KeyError(argument)

    with pytest.raises(KeyError, match='a'):
        list(call_in_processes(fail, ['a'], 1, limit=60))


def test_as_many_crashes_as_there_are_processes_end(tmp_path):
    results = dict(call_in_processes(act, ['crash', 'leave', 'a', 'b'], 4, limit=60))
    assert results == {'crash': Lost('the decoder crashed (SIGSEGV)'), 'leave': LEFT, 'a': 'A', 'b': 'B'}


LEFT = Lost('the decoder crashed (exit status 7)')
