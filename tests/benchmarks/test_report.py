import json

from PIL import Image

from benchmarks.speed.report import Result, format_table, write_report

RESULTS = [
    Result('inference', 8, 'theirs', 'fp32', 10.0, 9.0, 11.0, 1.0, 0.5, 100.0),
    Result('inference', 8, 'ours', 'int8', 71.2, 70.0, 72.0, 7.12, None, None),
    Result('training', 16, 'theirs', 'fp32', 2.0, 1.0, 3.0, 1.0, 0.25, 2000.0),
]
CONTEXT = dict(config='a.py', machine=dict(device='a processor', threads=2))


def test_a_table_for_each_phase_and_batch_size():
    table = format_table(RESULTS)

    assert table.count('| ratio |') == 2
    assert '| theirs | 10.0 | 9.0 - 11.0 | 1.00x | 50% | 100 |' in table
    assert '| ours | 71.2 | 70.0 - 72.0 | 7.12x | - | - |' in table
    assert '**training, batch 16**' in table


def test_json_and_a_chart_are_written_and_nothing_else(tmp_path):
    write_report(RESULTS, CONTEXT, tmp_path / 'new' / 'speed.json')

    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == ['speed.json', 'speed.png']
    document = json.loads((tmp_path / 'new' / 'speed.json').read_text())
    assert document['machine'] == CONTEXT['machine']
    assert document['results'][1]['ratio'] == 7.12
    with Image.open(tmp_path / 'new' / 'speed.png') as chart:
        assert min(chart.size) > 300
