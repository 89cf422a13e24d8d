"""What comes by --cfg-options is data: it arrives as it was given, or the user is told why not."""

import argparse
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from support import REPOSITORY

from mmpretrain_inception.configuring.config_file import merge_options
from mmpretrain_inception.errors import UsageError


@pytest.fixture(scope='module')
def parse():
    sys.path.insert(0, str(REPOSITORY / 'tools'))
    from arguments import add_config_options

    sys.path.pop(0)
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    return lambda *options: parser.parse_args(['--cfg-options', *options]).cfg_options


# Words that are no numbers and no constants: what is in quotes in Python and not here.
words = st.text(string.ascii_letters + '/_-.', min_size=1, max_size=12).filter(
    lambda text: (
        text.lower().strip('+-') not in ('true', 'false', 'none', 'nan', 'inf', 'infinity') and '..' not in text
    )
)
numbers = st.integers() | st.floats(allow_nan=False)
plain = st.recursive(
    numbers | st.booleans() | st.none() | words,
    lambda inner: st.lists(inner, max_size=4) | st.lists(inner, min_size=1, max_size=4).map(tuple),
    max_leaves=12,
)


def written(value):
    """Write a value as --cfg-options takes it."""
    if isinstance(value, (list, tuple)):
        inner = ','.join(map(written, value))
        return f'[{inner}]' if isinstance(value, list) else f'({inner},)' if len(value) == 1 else f'({inner})'
    return str(value)


@settings(max_examples=300, deadline=None)
@given(value=plain)
def test_plain_data_of_any_depth_arrives_as_it_was_given(parse, value):
    cfg = Config(dict(model=dict(head=dict(topk=1))))
    merge_options(cfg, parse(f'model.head.topk={written(value)}'))
    assert cfg.model.head.topk == value
    assert type(cfg.model.head.topk) is type(value)


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=40))
def test_no_text_is_evaluated_or_leaves_a_traceback(parse, text):
    cfg = Config(dict(model=dict(head=dict(topk=[1, 5]), layers=[dict(size=1)])))
    try:
        merge_options(cfg, parse(f'model.{text}', f'model.head={text}'))
    except (SystemExit, UsageError):
        return
    assert cfg.model.head is None or type(cfg.model.head) in (str, int, float, bool, list, tuple)


@pytest.mark.parametrize(
    'value', ['__import__("os").getpid()', 'lambda: 1', '{{fileDirname}}', '${HOME}', 'dict(a=1)', 'f"{1}"']
)
def test_code_stays_text(parse, value):
    cfg = Config(dict(name='x'))
    merge_options(cfg, parse(f'name={value}'))
    assert isinstance(cfg.name, str)
    assert cfg.name == value.strip('"').replace(' ', '')


@pytest.mark.parametrize('option', ['model', 'model.head', '=1', 'model.=1', '.model=1', 'a=[1', 'a=(1,2))'])
def test_what_is_no_setting_is_a_usage_error(parse, option, capsys):
    with pytest.raises(SystemExit) as error:
        parse(option)
    assert error.value.code == 2
    assert f'--cfg-options {option}:' in capsys.readouterr().err


@pytest.mark.parametrize('option', ['model.layers.7.size=1', 'model.layers.x=1'])
def test_a_place_that_the_config_lacks_is_named(parse, option):
    cfg = Config(dict(model=dict(layers=[dict(size=1)])))
    with pytest.raises(UsageError, match=rf'--cfg-options {option.partition("=")[0]}: the config has no such setting'):
        merge_options(cfg, parse(option))
