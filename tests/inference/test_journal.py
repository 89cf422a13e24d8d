import json

import pytest

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference.journal import Journal

RUN = dict(model='m', images='i', options=[None, 0.5])


def rows(*names, error=None):
    return [dict(path=name, error=error) for name in names]


def test_a_run_goes_on_after_its_last_complete_batch(tmp_path):
    out = tmp_path / 'p.csv'
    with Journal(out, RUN) as journal:
        journal.add(rows('a', 'b'))
        journal.add(rows('c', error='broken'))
    whole = journal.path.read_bytes()
    lines = whole.splitlines(keepends=True)
    # Killed at any byte.
    for length in range(len(whole) + 1):
        journal.path.write_bytes(whole[:length])
        complete = sum(len(''.join(map(bytes.decode, lines[:count]))) <= length for count in (2, 3))
        with Journal(out, RUN) as again:
            assert (again.done, again.failed) == [(0, 0), (2, 0), (3, 1)][complete]
            assert again.replaced == ''
            again.add(rows('new'))
            assert [row['path'] for row in again.rows()][-1] == 'new'
            assert again.done == len(list(again.rows()))


@pytest.mark.parametrize(('key', 'value'), [('model', 'n'), ('images', 'j'), ('options', [1, 0.5])])
def test_another_run_begins_anew_and_says_why(tmp_path, key, value):
    with Journal(tmp_path / 'p.csv', RUN) as journal:
        journal.add(rows('a'))
    with Journal(tmp_path / 'p.csv', {**RUN, key: value}) as other:
        assert (other.done, other.replaced) == (0, key)
        assert list(other.rows()) == []


@pytest.mark.parametrize('content', [b'', b'x' * 100, b'[]\n', b'{"model": 1}\n[1]\n', json.dumps(RUN).encode()])
def test_anything_else_in_its_place_is_replaced(tmp_path, content):
    (tmp_path / 'p.csv.unfinished').write_bytes(content)
    with Journal(tmp_path / 'p.csv', RUN) as journal:
        assert journal.done == 0
        journal.add(rows('a'))
        assert list(journal.rows()) == rows('a')


def test_two_runs_do_not_write_one_result(tmp_path):
    with Journal(tmp_path / 'p.csv', RUN), pytest.raises(InputError, match='another process is writing it'):
        Journal(tmp_path / 'p.csv', RUN)
    with Journal(tmp_path / 'p.csv', RUN) as journal:
        journal.remove()
    assert list(tmp_path.iterdir()) == []
