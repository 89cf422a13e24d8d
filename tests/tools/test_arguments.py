"""A mistyped option ends in two lines: what is wrong, and what was meant."""

import sys

import pytest
from support import REPOSITORY


@pytest.fixture(scope='module')
def parsers():
    sys.path.insert(0, str(REPOSITORY / 'tools'))
    import export
    import predict
    import test as test_tool
    import train

    sys.path.pop(0)
    tools = dict(train=train, test=test_tool, export=export, predict=predict)
    return {name: tool.build_parser for name, tool in tools.items()}


@pytest.mark.parametrize(
    ('tool', 'arguments', 'message'),
    [
        ('train', ['--epohs', '5'], '--epohs: no such option\ndid you mean --epochs?'),
        ('train', ['c.py', '--batchsize=8'], '--batchsize: no such option\ndid you mean --batch-size?'),
        ('train', ['c.py', '--image_size', '96'], '--image_size: no such option\ndid you mean --image-size?'),
        ('train', ['c.py', '--learning-rate', '1'], '--learning-rate: no such option\n'),
        ('train', ['c.py', '--save-evry', '2'], '--save-evry: no such option\ndid you mean --save-every?'),
        ('train', ['c.py', '--epochs', 'five'], "argument --epochs: invalid int value: 'five'\n"),
        ('train', ['c.py', 'd.py'], 'd.py: not expected here\n'),
        (
            'test',
            ['c.py', 'a.pth', '--wokers', '2'],
            '--wokers: no such option\ndid you mean --workers?',
        ),
        ('test', ['c.py', 'a.pth', '--epochs', '2'], '--epochs: no such option\n'),
        ('predict', ['m', 'a.jpg', '--topk', '3'], '--topk: no such option\ndid you mean --top-k?'),
        ('predict', ['m', 'a.jpg', '--treshold', '0.5'], '--treshold: no such option\ndid you mean --threshold?'),
        ('predict', ['m', 'a.jpg', '--top-k', '0'], 'argument --top-k: expected a whole number of at least 1, got 0\n'),
        ('predict', ['m'], 'the following arguments are required: INPUT\n'),
        ('export', ['c.py', 'a.pth', '--to', 'onxx', '--out', 'a'], "argument --to: invalid choice: 'onxx'"),
    ],
)
def test_what_is_mistyped(parsers, capsys, tool, arguments, message):
    with pytest.raises(SystemExit) as error:
        parsers[tool]().parse_intermixed_args(arguments)
    printed = capsys.readouterr().err
    assert error.value.code == 2
    assert printed.startswith(f'error: {message}')
    assert printed.count('\n') == 2
