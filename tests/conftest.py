import gc
import logging
import multiprocessing.util
import os
import tempfile

# This process and those that it starts leave their temporary files in a folder that goes with it: killed ones cannot
# remove theirs, and torch makes one when it is imported. Those of failed tests stay where pytest puts them. A short
# name, because paths of sockets have at most 107 characters.
os.environ.setdefault('PYTEST_DEBUG_TEMPROOT', tempfile.gettempdir())
TEMPORARY = tempfile.TemporaryDirectory(prefix='t', ignore_cleanup_errors=True)
os.environ['TMPDIR'] = tempfile.tempdir = TEMPORARY.name

import cv2
import narrow as narrow_networks
import numpy as np
import pytest
import torch
import yaml
from hypothesis import settings
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from support import run_tool, workers_for

from mmpretrain_inception.models.heads.ranks import _clamp
from mmpretrain_inception.utils.cores import available_cores
from mmpretrain_inception.weights import metafile

# Threads of several test processes that share the cores wait for one another, at ten times the cost.
torch.set_num_threads(1)

# The same examples in every run, however slow the machine.
settings.register_profile('suite', max_examples=60, deadline=None, derandomize=True)
settings.load_profile('suite')


def pytest_configure(config):
    config.add_cleanup(TEMPORARY.cleanup)
    # First, because these remove folders in there, and complain if they are gone.
    config.add_cleanup(multiprocessing.util._run_finalizers)


def pytest_xdist_auto_num_workers(config):
    """Answer ``-n auto`` by memory as well as cores."""
    return workers_for(available_cores(), os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE'))


def pytest_collection_modifyitems(config, items):
    """Leave out the long forms, unless ``-m`` speaks of them."""
    if 'stress' in config.getoption('markexpr'):
        return
    long = [item for item in items if item.get_closest_marker('stress')]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if not item.get_closest_marker('stress')]


def pytest_collection_finish():
    # What is there now is not looked through again.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Free networks, which hooks and graphs of gradients tie into circles, before the next ones are built."""
    if nextitem is None or nextitem.location[0] != item.location[0] or item.get_closest_marker('slow'):
        gc.collect()


@pytest.fixture(autouse=True)
def own_default_scope():
    """Let no test see the default scope that a Runner of another one has set."""
    before = dict(DefaultScope._instance_dict)
    yield
    DefaultScope._instance_dict.clear()
    DefaultScope._instance_dict.update(before)


@pytest.fixture
def warnings_logged():
    """Collect what mmengine's logger warns of."""
    yield from logged(logging.WARNING)


@pytest.fixture
def notes_logged():
    """Collect what mmengine's logger says; the ranks that were noted in this process are forgotten."""
    _clamp.cache_clear()
    yield from logged(logging.INFO)
    _clamp.cache_clear()


def logged(level):
    messages = []
    handler = logging.Handler(level=level)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


@pytest.fixture
def tool(tmp_path):
    """Run a tool in a folder of its own."""
    return lambda name, *arguments, cwd=tmp_path: run_tool(name, *arguments, cwd=cwd)


@pytest.fixture(scope='module')
def narrow():
    """Networks of an eighth of the channels, in this process and in those that it starts."""
    narrow_networks.start()
    yield
    narrow_networks.stop()


@pytest.fixture
def published_at(tmp_path, monkeypatch):
    """Replace the table of published weights by one that has them at an address of the test."""

    def replace(address, checksum='', name='torchvision'):
        models = yaml.safe_load((metafile.ROOT / metafile._TABLE).read_text())['Models']
        model = next(model for model in models if model.get('Metadata', {}).get('Weights Name') == name)
        model |= {'Weights': address, 'Config': str(metafile.ROOT / model['Config'])}
        for kind in ('sha256', 'md5'):
            model['Metadata'].pop(f'Weights {kind.upper()}', None)
        if checksum:
            kind, digits = checksum.split(':')
            model['Metadata'][f'Weights {kind.upper()}'] = digits
        root = tmp_path / 'table'
        (root / metafile._TABLE).parent.mkdir(parents=True, exist_ok=True)
        (root / metafile._TABLE).write_text(yaml.safe_dump(dict(Models=[model])))
        monkeypatch.setattr(metafile, 'ROOT', root)

    return replace


@pytest.fixture
def image_folder(tmp_path):
    """A folder of three classes, told apart by their brightness: 8 images each in train, 4 in val, 90 x 80 pixels."""
    rng = np.random.default_rng(0)
    folder = tmp_path / 'images'
    for split, count in (('train', 8), ('val', 4)):
        for label, name in enumerate(('ant', 'bee', 'cat')):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(80 * label, 80 * label + 60, size=(90, 80, 3), dtype=np.uint8)
                cv2.imwrite(str(folder / split / name / f'{index}.jpg'), image)
    return folder


@pytest.fixture(scope='session')
def make_classifier():
    """Build mmpretrain's classifier around our three parts, with the auxiliary classifier on."""

    def make(num_classes=10, backbone=None, head=None):
        return MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type='mmpretrain_inception.InceptionV3', out_indices=(3, 4)) | (backbone or {}),
                neck=dict(type='mmpretrain_inception.InceptionNeck'),
                head=dict(type='mmpretrain_inception.InceptionHead', num_classes=num_classes, with_aux=True)
                | (head or {}),
            )
        )

    return make


@pytest.fixture(scope='session')
def randomise():
    """Draw every parameter and every batch-norm statistic anew, at a scale that keeps activations near one."""

    @torch.no_grad()
    def draw(model):
        for name, tensor in model.state_dict().items():
            if name.endswith('num_batches_tracked'):
                tensor.random_(1, 1000)
            elif name.endswith('running_var') or name.endswith('bn.weight'):
                tensor.uniform_(0.5, 1.5)
            elif tensor.ndim == 1:
                tensor.normal_(std=0.1)
            else:
                tensor.normal_(std=(2 / tensor[0].numel()) ** 0.5)
        return model

    return draw


@pytest.fixture(scope='session')
def labelled():
    """Return annotations with the given labels."""
    return lambda *labels: [DataSample().set_gt_label(label) for label in labels]
