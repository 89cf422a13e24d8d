import hashlib
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODELS
from mmengine.runner import CheckpointLoader, load_checkpoint

from mmpretrain_inception import InceptionV3
from mmpretrain_inception.errors import InputError


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder, the address at which it is served, and the server."""
    folder = tmp_path / 'served'
    folder.mkdir()
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f'http://127.0.0.1:{server.server_port}', server
    server.shutdown()
    server.server_close()


def publish(folder, content, digits=None):
    torch.save(content, folder / 'weights.pth')
    digits = digits or hashlib.sha256((folder / 'weights.pth').read_bytes()).hexdigest()[:8]
    return (folder / 'weights.pth').rename(folder / f'weights-{digits}.pth').name


def test_a_file_is_downloaded_once_and_its_hash_checked(served):
    folder, address, server = served
    name = publish(folder, {'a': torch.ones(2)})
    assert CheckpointLoader.load_checkpoint(f'{address}/{name}')['a'].tolist() == [1, 1]
    server.shutdown()
    assert CheckpointLoader.load_checkpoint(f'{address}/{name}')['a'].tolist() == [1, 1]


def test_a_file_with_another_hash_is_refused_and_not_kept(served, tmp_path):
    folder, address, _ = served
    name = publish(folder, {'a': torch.ones(2)}, digits='0cc3c7bd')
    with pytest.raises(InputError, match=f'{name} cannot be downloaded: invalid hash value'):
        CheckpointLoader.load_checkpoint(f'{address}/{name}')
    assert list((tmp_path / 'hub/checkpoints').iterdir()) == []


def test_a_file_that_is_not_there(served):
    _, address, _ = served
    with pytest.raises(InputError, match=re.escape(f'{address}/no.pth cannot be downloaded: HTTP Error 404')):
        CheckpointLoader.load_checkpoint(f'{address}/no.pth')


def test_what_torch_opens_comes_whole(tmp_path):
    content = {'state_dict': {'a': torch.ones(2)}, 'optimizer': {'lr': 0.1, 'state': [torch.zeros(1)]}, 'meta': {}}
    torch.save(content, tmp_path / 'checkpoint.pth')
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'checkpoint.pth'))
    torch.testing.assert_close(loaded, content)


@pytest.mark.parametrize('scheme', ['torchvision', 'ours', 'bare', 'wrapped'])
def test_the_bare_backbone_starts_from_the_file_of_any_publisher(tmp_path, scheme):
    source = InceptionV3().state_dict()
    head = {'fc.weight': torch.zeros(10, 2048), 'fc.bias': torch.zeros(10)}
    content = {
        'torchvision': {**source, **head},
        'ours': {f'backbone.{name}': value for name, value in source.items()}
        | {f'head.{name}': value for name, value in head.items()},
        'bare': source,
        'wrapped': {f'module.{name}': value for name, value in {**source, **head}.items()},
    }[scheme]
    torch.save(content, tmp_path / 'weights.pth')
    backbone = InceptionV3(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth')))
    backbone.init_weights()
    torch.testing.assert_close(backbone.state_dict(), source, rtol=0, atol=0)


def test_a_backbone_that_a_file_does_not_fill_is_refused(tmp_path):
    source = InceptionV3().state_dict()
    del source['Mixed_7c.branch1x1.conv.weight']
    torch.save(source, tmp_path / 'weights.pth')
    backbone = InceptionV3(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth')))
    with pytest.raises(InputError, match=r'missing: Mixed_7c\.branch1x1\.conv\.weight'):
        backbone.init_weights()


def test_weights_of_fid_are_refused_by_a_network_that_pools_otherwise(tmp_path):
    source = InceptionV3().state_dict()
    torch.save({**source, 'fc.weight': torch.zeros(1008, 2048), 'fc.bias': torch.zeros(1008)}, tmp_path / 'fid.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'fid.pth'))
    with pytest.raises(InputError, match=r"only with backbone=dict\(count_include_pad=False, last_pool='max'\)"):
        InceptionV3(init_cfg=pretrained).init_weights()
    InceptionV3(init_cfg=pretrained, count_include_pad=False, last_pool='max').init_weights()


def test_a_head_of_others_leaves_the_backbone_to_be_filled(tmp_path):
    config = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain_inception.InceptionV3'),
        neck=dict(type='mmpretrain_inception.InceptionNeck'),
        head=dict(type='mmpretrain.ArcFaceClsHead', num_classes=5, in_channels=2048),
    )
    source, model = InceptionV3().state_dict(), MODELS.build(config)
    torch.save({**source, 'fc.weight': torch.zeros(1000, 2048), 'fc.bias': torch.zeros(1000)}, tmp_path / 'w.pth')
    load_checkpoint(model, str(tmp_path / 'w.pth'))
    torch.testing.assert_close(model.backbone.state_dict(), source, rtol=0, atol=0)


def test_weights_of_torchvisions_training_script_are_found(tmp_path):
    torch.save({'model': {'a': torch.ones(1)}, 'epoch': 3, 'args': {'lr': 0.1}}, tmp_path / 'model_3.pth')
    assert list(CheckpointLoader.load_checkpoint(str(tmp_path / 'model_3.pth'))['state_dict']) == ['a']


def test_a_stock_message_hub_comes_without_its_objects(tmp_path):
    hub = dict(
        log_scalars={'train/loss': HistoryBuffer([1.0], [1])},
        runtime_info={'iter': 3, 'lr': np.float64(0.1)},
        resumed_keys={'train/loss': True, 'iter': True, 'lr': True},
    )
    torch.save({'state_dict': {'a': torch.ones(1)}, 'message_hub': hub}, tmp_path / 'stock.pth')
    loaded = CheckpointLoader.load_checkpoint(str(tmp_path / 'stock.pth'))['message_hub']
    assert loaded == dict(log_scalars={}, runtime_info={'iter': 3}, resumed_keys={'iter': True})
