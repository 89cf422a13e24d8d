import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from tiny_model import CONTRACT

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.inference import tables
from mmpretrain_inception.inference.listing import Entry
from mmpretrain_inception.inference.rows import Choice, columns, row_of
from mmpretrain_inception.inference.stream import Answered
from mmpretrain_inception.inference.tables import check_table, write_table

SCORES = torch.tensor([0.1, 0.7, 0.2])
FEATURES = np.array([0.1, 1e-7, 3], np.float32)
SEVERAL = replace(CONTRACT, activation='sigmoid', threshold=0.15)


def answered(name='a,"b.jpg', labels=(1,), features=FEATURES):
    sample = DataSample().set_pred_score(SCORES).set_pred_label(torch.tensor(labels))
    return Answered(Entry(name), sample, features)


BROKEN = Answered(Entry('x.jpg'), error='it is truncated')


def written(path, contract, choice, features=True):
    found = [answered() if features else answered(features=None), BROKEN]
    rows = [json.loads(json.dumps(row_of(each, contract, choice))) for each in found]
    write_table(path, columns(contract, choice, features), rows, 3 if features else 0)
    return path


@pytest.mark.parametrize(
    ('contract', 'choice', 'header', 'first'),
    [
        (CONTRACT, Choice(), 'label,score', 'bee,0.7'),
        (CONTRACT, Choice(2), 'label,score,label_2,score_2', 'bee,0.7,cat,0.2'),
        (CONTRACT, Choice(2, 0.5), 'label,score,label_2,score_2', 'bee,0.7,,'),
        (CONTRACT, Choice(None, 0.9), 'label,score', ','),
        (replace(CONTRACT, classes=None), Choice(), 'label,score', '1,0.7'),
        (SEVERAL, Choice(), 'label,score', 'bee|cat,0.7|0.2'),
        (SEVERAL, Choice(1), 'label,score', 'bee,0.7'),
        (SEVERAL, Choice(None, 0.05), 'label,score', 'bee|cat|ant,0.7|0.2|0.1'),
    ],
)
def test_the_columns_are_named_and_filled(tmp_path, contract, choice, header, first):
    found = answered(labels=(1, 2) if contract is SEVERAL else (1,), features=None)
    path = tmp_path / 'p.csv'
    write_table(
        path, columns(contract, choice, False), [row_of(found, contract, choice), row_of(BROKEN, contract, choice)]
    )
    commas = ',' * (header.count(',') + 2)
    assert path.read_text() == f'path,{header},error\n"a,""b.jpg",{first},\nx.jpg{commas}it is truncated\n'


def test_each_format_has_the_same_values(tmp_path):
    with open(written(tmp_path / 'p.csv', CONTRACT, Choice()), newline='') as file:
        first, second = csv.DictReader(file)
    features = [np.float32(first[f'feature_{number}']) for number in (1, 2, 3)]
    assert np.array(features, np.float32).tobytes() == FEATURES.tobytes()
    assert (second['feature_1'], second['error']) == ('', 'it is truncated')
    lines = written(tmp_path / 'p.jsonl', CONTRACT, Choice()).read_text().splitlines()
    values = [json.loads(line) for line in lines]
    assert values[0]['score'] == 0.7
    assert np.array(values[0]['features'], np.float32).tobytes() == FEATURES.tobytes()
    assert values[1] == dict(path='x.jpg', label=None, score=None, features=None, error='it is truncated')
    parquet = pytest.importorskip('pyarrow.parquet')
    table = parquet.read_table(written(tmp_path / 'p.parquet', CONTRACT, Choice()))
    assert table.column_names == ['path', 'label', 'score', 'features', 'error']
    assert np.float32(table['score'][0].as_py()) == np.float32(0.7)
    assert np.array(table['features'][0].as_py(), np.float32).tobytes() == FEATURES.tobytes()
    assert table['error'].to_pylist() == [None, 'it is truncated']


def test_names_that_are_not_utf8_are_kept(tmp_path):
    found = answered(name='caf\udce9.jpg', features=None)
    row = row_of(found, CONTRACT, Choice())
    for ending in ('.csv', '.jsonl', '.parquet'):
        if ending == '.parquet':
            pytest.importorskip('pyarrow')
        write_table(tmp_path / f'p{ending}', columns(CONTRACT, Choice(), False), [row])
    assert (tmp_path / 'p.csv').read_bytes().splitlines()[1].startswith(b'caf\xe9.jpg,')
    assert json.loads((tmp_path / 'p.jsonl').read_text())['path'] == 'caf\udce9.jpg'


def test_what_cannot_be_written_is_said_before(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r'expected a file ending in \.csv, \.jsonl, \.parquet'):
        check_table('p.txt')

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(tables, 'import_module', missing)
    check_table('p.csv')
    with pytest.raises(InputError, match=r"pip install 'mmpretrain-inception\[parquet\]'"):
        check_table('p.parquet')
