"""Every ImageNet config parses, builds and learns from files that are laid out as ImageNet is."""

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from support import CONFIGS

RECIPES = sorted(CONFIGS.glob('*_in1k.py'))


@pytest.fixture(scope='session')
def imagenet(tmp_path_factory):
    """16 images in eight folders, and their names in `meta/train.txt`."""
    root = tmp_path_factory.mktemp('imagenet')
    rng = np.random.default_rng(0)
    lines = []
    for index in range(16):
        name = f'n{index // 2:08d}/n{index // 2:08d}_{index}.JPEG'
        (root / 'train' / name).parent.mkdir(parents=True, exist_ok=True)
        height, width = rng.integers(280, 420, 2)
        cv2.imwrite(str(root / 'train' / name), rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
        lines.append(f'{name} {index // 2}\n')
    (root / 'meta').mkdir()
    (root / 'meta/train.txt').write_text(''.join(lines))
    return root


@pytest.mark.usefixtures('narrow')
@pytest.mark.slow
@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_one_training_step(path, imagenet):
    cfg = Config.fromfile(path)
    cfg.train_dataloader.dataset.update(data_root=str(imagenet), ann_file='meta/train.txt')
    cfg.train_dataloader.update(batch_size=4, num_workers=0, collate_fn=dict(type='default_collate'))
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
        assert len(loader.dataset) == 16
        model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
        model.init_weights()
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    logged = model.train().train_step(next(iter(loader)), wrapper)
    assert torch.isfinite(logged['loss'])
    unchanged = [name for name, p in model.named_parameters() if torch.equal(p, before[name])]
    assert unchanged == []
