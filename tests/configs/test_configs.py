import re
from pathlib import Path

import pytest
import yaml
from mmengine.config import Config
from mmpretrain.registry import MODELS
from support import CONFIGS, REPOSITORY

RECIPES = sorted(CONFIGS.glob('*.py'))
INDEX = yaml.safe_load((REPOSITORY / 'model-index.yml').read_text())
MODELS_OF_INDEX = [
    model for file in INDEX['Import'] for model in yaml.safe_load((REPOSITORY / file).read_text())['Models']
]


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_every_recipe_parses_and_its_model_builds(path):
    cfg = Config.fromfile(path)
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
    # mmpretrain's own holds its classifier in the backbone.
    classes = model.head.num_classes if 'num_classes' in cfg.model.head else cfg.model.backbone.num_classes
    assert classes == cfg.data_preprocessor.num_classes


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_every_recipe_begins_with_purpose_command_and_expected_result(path):
    header = re.match(r'(#.*\n)+', path.read_text())[0]
    assert len(header.splitlines()[0]) > 20
    assert f'configs/inception_v3/{path.name}' in header
    assert re.search(r'Expected.*: ', header)


def test_every_recipe_is_in_the_model_index():
    assert {Path(model['Config']).name for model in MODELS_OF_INDEX} == {path.name for path in RECIPES}


@pytest.mark.parametrize('model', MODELS_OF_INDEX, ids=lambda model: model['Name'])
def test_every_number_of_the_index_says_where_it_comes_from(model):
    if 'Results' in model:
        assert model['Metadata']['Results Source'].startswith('https://')
        assert model['Metadata']['Measured'] is False
