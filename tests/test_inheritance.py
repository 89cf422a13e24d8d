"""What a project outside the repository does, with the wheel installed into an environment of its own."""

import shutil
import sys
import sysconfig

import pytest
from support import REPOSITORY, run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('narrow'), pytest.mark.xdist_group('wheel')]

PREFIX = 'mmpretrain_inception::inception_v3/inception-v3_1xb64_digits-75px.py'

TINY = """
train_dataloader = dict(batch_size=32, dataset=dict(indices=96))
val_dataloader = dict(dataset=dict(indices=48))
test_dataloader = dict(dataset=dict(indices=48))
train_cfg = dict(max_epochs=1)
"""

ROUTES = {
    'path': "_base_ = ['{mim}/configs/inception_v3/inception-v3_1xb64_digits-75px.py']\n",
    'prefix': f"_base_ = ['{PREFIX}']\n",
}


@pytest.fixture(scope='module')
def project(tmp_path_factory):
    """A folder with an environment that holds the wheel; the dependencies come from the environment of the tests."""
    folder = tmp_path_factory.mktemp('project')
    # From a copy, since a build leaves files in its source that the next one would take along.
    source = folder / 'source'
    shutil.copytree(
        REPOSITORY, source, symlinks=True, ignore=shutil.ignore_patterns('.venv', '.git', 'build', 'work_dirs')
    )
    build = run(
        *(sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '--wheel-dir', folder),
        source,
        cwd=folder,
    )
    assert build.returncode == 0, build.stderr
    run(sys.executable, '-m', 'venv', folder / 'venv', cwd=folder)
    python = folder / 'venv/bin/python'
    packages = run(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))', cwd=folder).stdout.strip()
    # A line of a .pth file adds a folder to the path without what that folder's own .pth files add: not the repository.
    (folder / packages / 'dependencies.pth').write_text(sysconfig.get_path('purelib') + '\n')
    (wheel,) = folder.glob('*.whl')
    installed = run(python, '-m', 'pip', 'install', '--no-deps', wheel, cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return folder, python


@pytest.fixture(scope='module')
def mim(project):
    folder, python = project
    result = run(python, '-c', 'import mmpretrain_inception; print(mmpretrain_inception.__path__[0])', cwd=folder)
    assert str(folder) in result.stdout, result.stderr
    return f'{result.stdout.strip()}/.mim'


def test_the_wheel_holds_configs_tools_and_index_as_files(project, mim):
    folder, python = project
    script = (
        f'from pathlib import Path; files = [p for p in Path({mim!r}).rglob("*") if not p.is_dir()];'
        f'print(any(p.is_symlink() for p in Path({mim!r}).rglob("*")));'
        f'print(*sorted(str(p.relative_to({mim!r})) for p in files if "__pycache__" not in str(p)))'
    )
    links, files = run(python, '-c', script, cwd=folder).stdout.splitlines()
    assert links == 'False'
    expected = [REPOSITORY / 'model-index.yml']
    expected += [path for name in ('configs', 'tools') for path in (REPOSITORY / name).rglob('*')]
    # The benchmarks stay in the repository.
    without = ('__pycache__', 'benchmark.py')
    expected = [path for path in expected if path.is_file() and not any(part in str(path) for part in without)]
    assert files.split() == sorted(str(path.relative_to(REPOSITORY)) for path in expected)


def test_configs_inherit_by_path_and_by_prefix(project, mim):
    """One is trained, the other tested with the checkpoint."""
    folder, python = project
    for name, route, arguments in (('train', 'path', ()), ('test', 'prefix', ('work/epoch_1.pth',))):
        (folder / f'{route}.py').write_text(ROUTES[route].format(mim=mim) + TINY)
        result = run(python, f'{mim}/tools/{name}.py', f'{route}.py', *arguments, '--work-dir', 'work', cwd=folder)
        assert result.returncode == 0, result.stdout + result.stderr
        assert 'Failed to search registry' not in result.stdout + result.stderr
        assert 'accuracy/top1' in result.stdout


def test_get_config_and_mmengine_alone(project):
    """A script of one's own: mmengine's functions after importing the package, without our tools."""
    folder, python = project
    (folder / 'script.py').write_text(
        f"""
import mmpretrain_inception
from mmengine.hub import get_config
from mmengine.runner import Runner

cfg = get_config('{PREFIX}')
cfg.work_dir = 'work-script'
cfg.train_dataloader.update(batch_size=32, num_workers=0, collate_fn=dict(type='default_collate'))
for phase in ('train', 'val', 'test'):
    cfg[f'{{phase}}_dataloader'].dataset.indices = 48
    cfg[f'{{phase}}_dataloader'].collate_fn = dict(type='default_collate')
cfg.train_cfg.max_epochs = 1
runner = Runner.from_cfg(cfg)
runner.train()
print(runner.test())
"""
    )
    result = run(python, 'script.py', cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "{'accuracy/top1':" in result.stdout


def test_names_are_found_in_an_editable_installation_too(tmp_path):
    """The environment of the tests holds one; mmengine would look for the configs in site-packages."""
    script = (
        f'import mmpretrain_inception; from mmengine.hub import get_config; print(get_config({PREFIX!r}).model.type)'
    )
    result = run(sys.executable, '-c', script, cwd=tmp_path)
    assert result.stdout.strip() == 'ImageClassifier', result.stderr


@pytest.mark.parametrize(
    'registry', ['mmpretrain.registry', pytest.param('mmengine.registry', marks=pytest.mark.stress)]
)
def test_the_backbone_builds_without_an_import_of_ours(project, registry):
    folder, python = project
    script = f'from {registry} import MODELS; print(type(MODELS.build(dict(type="mmpretrain_inception.InceptionV3"))))'
    result = run(python, '-c', script, cwd=folder)
    assert 'mmpretrain_inception.models.backbones.inception_v3.InceptionV3' in result.stdout, result.stderr
