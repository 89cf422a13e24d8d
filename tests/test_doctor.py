import importlib
import re
import sys

import pytest
from support import REPOSITORY, run

from mmpretrain_inception import doctor, workarounds


def test_a_sound_installation(capsys):
    doctor.main()
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines]
    for name in ('version', 'python', 'torch', 'cv2', 'mmengine', 'mmcv', 'mmpretrain', 'processor', 'gpu'):
        assert names.count(name) == 1
    assert re.search(r'^mmpretrain +(onedl-)?mmpretrain \d', '\n'.join(lines), re.MULTILINE)
    states = [line.split(maxsplit=1)[1] for line in lines if line.startswith('workaround')]
    assert len(states) == len(doctor.FAULTS)
    assert all(state.startswith(('active: ', 'not needed, fault absent: ')) for state in states)


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (ModuleNotFoundError("No module named 'mmcv'", name='mmcv'), r'not installed$'),
        (ModuleNotFoundError("No module named 'addict'", name='addict'), 'broken, because addict is not installed$'),
        (RuntimeError('operator torchvision::nms does not exist\nmore'), 'broken: operator torch.*exist$'),
        (OSError(), 'broken: OSError$'),
    ],
)
def test_what_is_missing_or_broken_is_said_and_the_status_is_1(monkeypatch, capsys, error, text):
    def import_module(name):
        if name == 'mmcv':
            raise error
        return sys.modules[name]

    monkeypatch.setattr(importlib, 'import_module', import_module)
    with pytest.raises(SystemExit) as ended:
        doctor.main()
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert printed.err == 'error: mmcv: see above\n'
    assert re.search(rf'^mmcv .*{text}', printed.out, re.MULTILINE)
    assert re.search(r'^gpu ', printed.out, re.MULTILINE)


def test_two_stacks_at_once_are_an_error(monkeypatch, capsys):
    monkeypatch.setattr(doctor, 'overwritten', lambda: 'installed over each other: a 1 and b 2')
    with pytest.raises(SystemExit):
        doctor.main()
    printed = capsys.readouterr()
    assert 'overwritten  installed over each other: a 1 and b 2' in printed.out
    assert printed.err == 'error: overwritten: see above\n'


def test_pkg_resources_is_missing_only_where_mmengine_needs_it(monkeypatch):
    monkeypatch.setattr(workarounds, 'needs_pkg_resources', lambda: True)
    monkeypatch.setattr(workarounds, 'find_spec', lambda name: None)
    assert [fact.name for fact in doctor._workarounds() if fact.wrong] == ['setuptools']
    monkeypatch.setattr(workarounds, 'needs_pkg_resources', lambda: False)
    assert not any(fact.wrong for fact in doctor._workarounds())


REQUIRES = ['torch>=2.6', 'mmengine>=1', 'nowhere>=1', "h5py; extra == 'keras'", 'nothing; extra == "keras"']


def test_what_setup_cfg_requires(monkeypatch):
    monkeypatch.setattr(doctor.metadata, 'requires', lambda name: REQUIRES)
    monkeypatch.setattr(doctor, 'versions', lambda *names: {name: '1.0' for name in names if not name.startswith('no')})
    found = {fact.name: fact for fact in doctor._requirements()}
    # torch and mmengine have lines of their own.
    assert found == {
        'required': doctor.Fact('required', 'missing nowhere', wrong=True),
        '[keras]': doctor.Fact('[keras]', 'h5py 1.0; missing nothing'),
    }


def test_everything_broken(tmp_path):
    """Where nothing can be imported, each package is named, and there is no traceback."""
    for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain'):
        (tmp_path / f'{name}.py').write_text(f'raise RuntimeError("{name} is broken")')
    (tmp_path / 'cv2.py').write_text('raise ImportError("libGL.so.1: cannot open shared object file: No such file")')
    path = f'{tmp_path}:{REPOSITORY}'
    result = run(sys.executable, '-m', 'mmpretrain_inception.doctor', cwd=tmp_path, PYTHONPATH=path)
    assert result.returncode == 1
    assert result.stderr == 'error: torch, torchvision, cv2, mmengine, mmcv, mmpretrain: see above\n'
    assert re.search(r'^mmpretrain .*broken: mmpretrain is broken$', result.stdout, re.MULTILINE)
    assert re.search(r'^cv2 .*libGL.* pip install opencv-python-headless', result.stdout, re.MULTILINE)
    assert 'workaround   unknown' in result.stdout


def test_a_reader_that_ends_is_no_error(tmp_path):
    """``doctor | head -1``; the broken packages make it short."""
    for name in ('torch', 'torchvision', 'mmengine', 'mmcv', 'mmpretrain', 'cv2'):
        (tmp_path / f'{name}.py').write_text('raise RuntimeError')
    command = f'{sys.executable} -m mmpretrain_inception.doctor | true; exit ${{PIPESTATUS[0]}}'
    result = run('bash', '-c', command, cwd=tmp_path, PYTHONPATH=f'{tmp_path}:{REPOSITORY}')
    assert result.returncode == 1
    assert result.stderr == 'error: torch, torchvision, cv2, mmengine, mmcv, mmpretrain: see above\n'
