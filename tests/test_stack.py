"""OpenMMLab's packages and their fork: one, none, or one over the other. Distributions are made of a few files."""

import hashlib
import runpy
import sys
import warnings
from base64 import urlsafe_b64encode
from configparser import ConfigParser

import pytest
from support import REPOSITORY, run

from mmpretrain_inception import stack

SETUP = runpy.run_path(str(REPOSITORY / 'setup.py'), run_name='setup')
STACKS = {
    'openmmlab': ['mmengine>=1', 'mmcv-lite>=2', 'mmpretrain>=3', 'setuptools<82'],
    'onedl': ['onedl-mmengine>=1', 'onedl-mmcv>=2', 'onedl-mmpretrain>=3'],
}


def install(folder, distribution, version, module, content):
    """Write a distribution of one file, over what another one wrote, as pip does."""
    package = folder / module
    package.mkdir(exist_ok=True)
    (package / '__init__.py').touch()
    (package / 'version.py').write_text(content)
    digest = urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).decode().rstrip('=')
    info = folder / f'{distribution.replace("-", "_")}-{version}.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n')
    (info / 'RECORD').write_text(f'{module}/version.py,sha256={digest},{len(content)}\n')


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder that Python finds before all others, and the distributions in no other."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(stack.metadata, 'version', version_in(tmp_path))
    return tmp_path


def version_in(folder):
    def version(distribution):
        for found in stack.metadata.distributions(path=[str(folder)]):
            if found.metadata['Name'] == distribution:
                return found.version
        raise stack.metadata.PackageNotFoundError(distribution)

    return version


@pytest.mark.parametrize('first', ['mmengine', 'onedl-mmengine'])
def test_two_distributions_of_the_same_files_are_named_and_whose_files_are_there(site, first):
    both = {'mmengine': ('0.10.7', 'theirs'), 'onedl-mmengine': ('0.10.12', "the fork's")}
    last = next(name for name in both if name != first)
    for distribution in (first, last):
        version, content = both[distribution]
        install(site, distribution, version, 'mmengine', content)
    install(site, 'mmcv-lite', '2.2.0', 'mmcv', '')
    assert stack.overwritten() == (
        f'installed over each other: mmengine 0.10.7 and onedl-mmengine 0.10.12 (the files are of {last}); '
        'pip uninstall mmengine onedl-mmengine, then install one of each'
    )


def test_two_stacks_are_named_in_one_warning(site):
    for module, names in stack.PROVIDERS.items():
        for name in (names[0], names[-1]):
            install(site, name, '1', module, name)
    with pytest.warns(UserWarning, match='pip uninstall mmengine onedl-mmengine mmcv onedl-mmcv mmpr') as caught:
        stack.warn_of_overwritten()
    assert len(caught) == 1


def test_equal_files_are_of_either(site):
    for distribution in ('mmcv', 'mmcv-lite'):
        install(site, distribution, '2.2.0', 'mmcv', 'the same')
    assert '(the files are of either);' in stack.overwritten()


def test_one_stack_is_silent(site):
    for module, distribution in (('mmengine', 'onedl-mmengine'), ('mmcv', 'onedl-mmcv'), ('mmpretrain', 'mmpretrain')):
        install(site, distribution, '1', module, '')
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        stack.warn_of_overwritten()


def test_what_is_missing_is_named_with_both_ways_to_install_it(monkeypatch):
    monkeypatch.setattr(stack, 'find_spec', lambda name: None if name != 'mmengine' else object())
    with pytest.raises(ImportError, match=r'not installed: mmcv, mmpretrain; .*mmcv-lite.*onedl-mmcv') as raised:
        stack.require_stack()
    assert raised.value.name == 'mmpretrain_inception'


MISSING_LIBRARY = 'libGL.so.1: cannot open shared object file: No such file or directory'


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (MISSING_LIBRARY, r'imported: libGL\.so\.1: .*opencv-python-headless; .*apt-get install libgl1 libglib2\.0-0$'),
        ('numpy is too old', r'^OpenCV cannot be imported: numpy is too old$'),
    ],
)
def test_opencv_that_cannot_be_imported(monkeypatch, error, message):
    def fail(name):
        raise ImportError(error)

    monkeypatch.setattr(stack, 'import_module', fail)
    with pytest.raises(ImportError, match=message):
        stack.require_opencv()


def test_a_tool_ends_with_one_line(tmp_path):
    (tmp_path / 'cv2.py').write_text(f'raise ImportError({MISSING_LIBRARY!r})')
    path = f'{tmp_path}:{REPOSITORY}'
    result = run(sys.executable, REPOSITORY / 'tools/get_flops.py', 'config.py', cwd=tmp_path, PYTHONPATH=path)
    assert result.returncode == 1
    assert result.stderr.startswith('error: OpenCV cannot be imported: libGL.so.1')
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ('present', 'choice', 'required'),
    [
        ({'numpy'}, '', STACKS['openmmlab']),
        ({'mmengine', 'mmcv-lite'}, '', STACKS['openmmlab']),
        ({'mmengine', 'mmcv'}, '', ['mmengine>=1', 'mmcv>=2', 'mmpretrain>=3', 'setuptools<82']),
        ({'onedl-mmengine'}, '', STACKS['onedl']),
        ({'onedl-mmpretrain', 'mmengine'}, '', STACKS['onedl']),
        ({'onedl-mmengine'}, 'openmmlab', STACKS['openmmlab']),
        (set(), 'onedl', STACKS['onedl']),
        ({'mmengine'}, 'none', []),
    ],
)
def test_the_stack_that_is_installed_is_required(present, choice, required):
    assert SETUP['stack_requirements'](STACKS, present, choice) == required


def test_a_stack_that_does_not_exist_is_refused():
    with pytest.raises(
        SystemExit, match='MMPRETRAIN_INCEPTION_STACK: expected one of openmmlab, onedl and none, got mm'
    ):
        SETUP['stack_requirements'](STACKS, set(), 'mm')


def test_the_installed_distributions_are_found_where_pip_hides_them(tmp_path):
    """pip does so by a sitecustomize.py on PYTHONPATH, which empties the path."""
    (tmp_path / 'sitecustomize.py').write_text('import sys; sys.path[:] = [p for p in sys.path if "site-" not in p]')
    show = f"import runpy; print(runpy.run_path({str(REPOSITORY / 'setup.py')!r}, run_name='setup')['installed']())"
    # setuptools stands for pip's copy of it in the environment that it builds in.
    (tmp_path / 'setuptools.py').write_text('setup = None')
    result = run(sys.executable, '-c', show, cwd=tmp_path, PYTHONPATH=tmp_path)
    assert "'torch'" in result.stdout, result.stderr
    assert SETUP['installed']() >= {'torch', 'torchvision'}


def test_what_is_required_is_what_is_looked_for():
    config = ConfigParser()
    config.read(REPOSITORY / 'setup.cfg')
    known = {name for distributions in stack.PROVIDERS.values() for name in distributions}
    for name in SETUP['STACKS']:
        required = [line.partition('>=')[0] for line in config['stacks'][name].split() if '>=' in line]
        assert len(required) == len(stack.PROVIDERS)
        assert known.issuperset(required)
    assert known.issuperset(other for others in SETUP['SAME'].values() for other in others)


def test_the_oldest_environment_has_the_lower_bounds_of_setup_cfg():
    pytest.importorskip('nox')
    oldest = runpy.run_path(str(REPOSITORY / 'noxfile.py'))['oldest']('onedl')
    assert {'torch==2.6', 'onedl-mmengine==0.10.12'} <= set(oldest)
    assert not any('mmcv-lite' in line or '#' in line for line in oldest)
