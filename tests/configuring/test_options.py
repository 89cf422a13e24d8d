import argparse
import dataclasses
import importlib.util
import pickle
import sys

import pytest
from support import REPOSITORY

from mmpretrain_inception.configuring.options import ExportOptions, TestOptions, TrainOptions

TOOLS = {'train.py': TrainOptions, 'test.py': TestOptions, 'export.py': ExportOptions}


@pytest.fixture
def parser_of(monkeypatch):
    """Return the parser of a tool."""
    monkeypatch.setattr(sys, 'path', [str(REPOSITORY / 'tools'), *sys.path])

    def load(name):
        spec = importlib.util.spec_from_file_location(f'tool_{name[:-3]}', REPOSITORY / 'tools' / name)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.build_parser()

    return load


@pytest.mark.parametrize(('tool', 'options'), TOOLS.items())
def test_options_have_the_names_and_defaults_of_the_command_line(parser_of, tool, options):
    required = {'export.py': ['c.pth', '--to', 'onnx', '--out', 'm.onnx']}.get(tool, [])
    parsed = vars(parser_of(tool).parse_intermixed_args(['c.py', *required]))
    parsed.pop('local_rank', None)
    assert set(parsed) == {field.name for field in dataclasses.fields(options)}
    for field in dataclasses.fields(options):
        if field.default is not dataclasses.MISSING and field.name != 'config':
            assert parsed[field.name] == field.default or (parsed[field.name], field.default) == ([], ())


@pytest.mark.parametrize(
    'options', [TrainOptions('c.py', {'a.b': 1}, amp=True), TestOptions('c.py', checkpoints=('a.pth',), tta=True)]
)
def test_options_travel_to_a_worker_and_stay_as_they_are(options):
    assert pickle.loads(pickle.dumps(options)) == options
    with pytest.raises(dataclasses.FrozenInstanceError):
        options.config = 'other.py'


def test_no_module_of_the_package_uses_argparse():
    sources = (REPOSITORY / 'mmpretrain_inception').rglob('*.py')
    named = [path.name for path in sources if '.mim' not in str(path) and argparse.__name__ in path.read_text()]
    assert named == []
