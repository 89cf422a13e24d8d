import subprocess
import sys
from textwrap import dedent

import mmpretrain.models
import pytest
from mmengine import MODELS as MMENGINE_MODELS
from mmengine.registry import DefaultScope, Registry
from mmpretrain.registry import MODELS as MMPRETRAIN_MODELS

import mmpretrain_inception

OURS = dict(type='mmpretrain_inception.InceptionV3', out_indices=0)
THEIRS = dict(type='InceptionV3', num_classes=10)


@pytest.fixture(params=['mmengine', 'mmpretrain', "another project's", "a child of mmpretrain's"])
def registry(request):
    if request.param == 'mmengine':
        yield MMENGINE_MODELS
    elif request.param == 'mmpretrain':
        yield MMPRETRAIN_MODELS
    else:
        parent = MMPRETRAIN_MODELS if 'child' in request.param else MMENGINE_MODELS
        yield Registry('model', parent=parent, scope='another_project')
        del parent.children['another_project']


@pytest.fixture
def default_scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def test_prefixed_name_builds_ours_from_every_registry(registry):
    assert type(registry.build(OURS)) is mmpretrain_inception.InceptionV3


@pytest.mark.usefixtures('default_scope')
def test_prefixed_name_builds_ours_under_mmpretrains_default_scope(registry):
    assert type(registry.build(OURS)) is mmpretrain_inception.InceptionV3


def test_mmpretrains_own_network_still_builds_beside_ours():
    theirs, ours = (MMPRETRAIN_MODELS.build(config) for config in (THEIRS, OURS))
    assert type(theirs) is mmpretrain.models.InceptionV3
    assert type(ours) is mmpretrain_inception.InceptionV3


@pytest.mark.usefixtures('default_scope')
def test_name_without_prefix_is_mmpretrains_under_its_default_scope():
    assert type(MMENGINE_MODELS.build(THEIRS)) is mmpretrain.models.InceptionV3


@pytest.mark.parametrize(
    ('config', 'module'),
    [
        (dict(type='InceptionV3', out_indices=0), mmpretrain_inception.InceptionV3),
        (dict(type='ResNet', depth=18), mmpretrain.models.ResNet),
        (dict(type='mmpretrain.InceptionV3', num_classes=10), mmpretrain.models.InceptionV3),
    ],
    ids=lambda value: value['type'] if isinstance(value, dict) else '',
)
def test_inherited_configs_mean_ours_first_and_mmpretrains_next(config, module):
    # mmengine adds the scope to whatever is inherited by `_base_ = 'mmpretrain_inception::...'`.
    assert type(MMENGINE_MODELS.build(dict(config, _scope_='mmpretrain_inception'))) is module


def test_a_name_that_nobody_registered_is_refused():
    with pytest.raises(KeyError, match=r'mmpretrain_inception\.NoSuchNet'):
        MMPRETRAIN_MODELS.build(dict(type='mmpretrain_inception.NoSuchNet'))


@pytest.mark.slow
@pytest.mark.parametrize('registry', ['mmengine', 'mmpretrain.registry'])
def test_no_import_of_the_package_is_needed(registry):
    program = f"""
        import sys
        from {registry} import MODELS
        assert not any(name.startswith('mmpretrain_inception') for name in sys.modules)
        print(type(MODELS.build({OURS!r})).__module__)
    """
    done = subprocess.run([sys.executable, '-c', dedent(program)], capture_output=True, text=True)
    assert done.stdout.split() == ['mmpretrain_inception.models.backbones.inception_v3'], done.stderr
