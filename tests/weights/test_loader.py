import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import MODELS
from mmengine.runner import load_checkpoint

from mmpretrain_inception import InceptionV3
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.weights import open_weights


def test_what_torch_opens_comes_whole(tmp_path):
    content = {'state_dict': {'a': torch.ones(2)}, 'optimizer': {'lr': 0.1, 'state': [torch.zeros(1)]}, 'meta': {}}
    torch.save(content, tmp_path / 'checkpoint.pth')
    loaded = open_weights(tmp_path / 'checkpoint.pth').checkpoint
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
    with pytest.raises(InputError, match=r"count_include_pad=False and model\.backbone\.last_pool='max'$"):
        InceptionV3(init_cfg=pretrained).init_weights()
    InceptionV3(init_cfg=pretrained, count_include_pad=False, last_pool='max').init_weights()


def test_a_head_of_others_starts_from_the_backbone_and_is_not_evaluated_with_it(tmp_path):
    file = str(tmp_path / 'w.pth')
    config = dict(
        type='mmpretrain.ImageClassifier',
        backbone=dict(type='mmpretrain_inception.InceptionV3'),
        neck=dict(type='mmpretrain_inception.InceptionNeck'),
        head=dict(type='mmpretrain.ArcFaceClsHead', num_classes=5, in_channels=2048),
        init_cfg=dict(type='Pretrained', checkpoint=file),
    )
    source, model = InceptionV3().state_dict(), MODELS.build(config)
    torch.save({**source, 'fc.weight': torch.zeros(1000, 2048), 'fc.bias': torch.zeros(1000)}, file)
    model.init_weights()
    torch.testing.assert_close(model.backbone.state_dict(), source, rtol=0, atol=0)
    with pytest.raises(InputError, match=r'w\.pth does not fill the model; missing: head\.'):
        load_checkpoint(model, file)


def test_weights_of_torchvisions_training_script_are_found(tmp_path):
    torch.save({'model': {'a': torch.ones(1)}, 'epoch': 3, 'args': {'lr': 0.1}}, tmp_path / 'model_3.pth')
    assert list(open_weights(tmp_path / 'model_3.pth').checkpoint['state_dict']) == ['a']


def test_a_stock_message_hub_comes_without_its_objects(tmp_path):
    hub = dict(
        log_scalars={'train/loss': HistoryBuffer([1.0], [1])},
        runtime_info={'iter': 3, 'lr': np.float64(0.1)},
        resumed_keys={'train/loss': True, 'iter': True, 'lr': True},
    )
    torch.save({'state_dict': {'a': torch.ones(1)}, 'message_hub': hub}, tmp_path / 'stock.pth')
    loaded = open_weights(tmp_path / 'stock.pth').checkpoint['message_hub']
    assert loaded == dict(log_scalars={}, runtime_info={'iter': 3}, resumed_keys={'iter': True})
