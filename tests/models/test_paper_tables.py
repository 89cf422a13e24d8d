"""The configs of the paper's tables 2 and 3 against each other."""

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from support import CONFIGS

PAPER = 'inception-v3-paper_50xb32_in1k'
TABLE_2 = {PAPER: 299, 'inception-v3-paper-151px_50xb32_in1k': 151, 'inception-v3-paper-79px_50xb32_in1k': 79}
# Each row with the settings that it has and the row before has not.
TABLE_3 = {
    'inception-v2_50xb32_in1k': None,
    'inception-v2-rmsprop_50xb32_in1k': {
        'optim_wrapper.optimizer.type': ('SGD', 'timm.optim.RMSpropTF'),
        'optim_wrapper.optimizer.alpha': (None, 0.9),
        'optim_wrapper.optimizer.eps': (None, 1.0),
    },
    'inception-v2-rmsprop-ls_50xb32_in1k': {
        'model.head.loss.type': ('CrossEntropyLoss', 'LabelSmoothLoss'),
        'model.head.loss.label_smooth_val': (None, 0.1),
        'model.head.loss.mode': (None, 'original'),
    },
    'inception-v2-rmsprop-ls-7x7_50xb32_in1k': {'model.backbone.stem': ('7x7', None)},
    PAPER: {'model.head.aux_fc_norm': (False, None)},
}
CONFIG_SIZES = TABLE_2 | dict.fromkeys(TABLE_3, 299)


def read(name):
    return Config.fromfile(CONFIGS / f'{name}.py')


def settings(value, key=''):
    """Flatten a config to pairs of a dotted key and a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else None
    if items is None or not value:
        return {key: value}
    flat = [settings(part, f'{key}.{name}' if key else str(name)) for name, part in items]
    return {name: part for parts in flat for name, part in parts.items()}


def changes(before, after):
    before, after = (settings(read(name).to_dict()) for name in (before, after))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: (before.get(key), after.get(key)) for key in keys}


@pytest.mark.parametrize(('before', 'after'), list(zip(TABLE_3, list(TABLE_3)[1:])))
def test_a_row_of_table_3_changes_one_thing(before, after):
    assert changes(before, after) == TABLE_3[after]


def build(name):
    cfg = read(name)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})


def scales(pipeline):
    return [step['scale'] for step in pipeline if 'scale' in step]


@pytest.mark.parametrize(('name', 'size'), CONFIG_SIZES.items())
def test_images_have_the_size_that_the_network_is_for(name, size):
    cfg = read(name)
    loaders = cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader
    assert [scales(loader.dataset.pipeline) for loader in loaders] == [[size]] * 3


@pytest.mark.parametrize('name', list(TABLE_2)[1:])
def test_another_size_changes_the_stem_and_the_images_only(name):
    images = (299, TABLE_2[name])
    others = {key: values for key, values in changes(PAPER, name).items() if not key.startswith('model.backbone.stem_')}
    assert others == {key: images for key in others if key.endswith('.scale')}


def test_the_last_row_of_table_3_is_the_published_network_with_both_losses():
    cfg = read(PAPER)
    assert not {'stem', 'stem_stride', 'stem_pool', 'stem_pool2_padding'} & set(cfg.model.backbone)
    assert (cfg.model.head.with_aux, cfg.model.head.get('aux_fc_norm', True)) == (True, True)


@pytest.mark.slow
@pytest.mark.parametrize(('name', 'size'), CONFIG_SIZES.items())
def test_networks_train_at_their_own_size(labelled, without_gradient, name, size):
    model = build(name)
    model.init_weights()
    maps = []
    model.backbone.register_forward_hook(lambda *args: maps.extend(args[-1]))
    losses = model.train()(torch.randn(2, 3, size, size), labelled(3, 7), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert without_gradient(model) == []
    assert [m.shape[-1] for m in maps] == ([18, 8] if size == 79 else [17, 8])
