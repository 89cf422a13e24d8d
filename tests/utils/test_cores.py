import os

import pytest

from mmpretrain_inception.utils import cores


@pytest.mark.parametrize(
    ('content', 'bound', 'expected'),
    [
        ('max 100000', 6, 6),
        ('250000 100000', 6, 2),
        ('800000 100000', 6, 6),
        ('50000 100000', 6, 1),
        ('nonsense', 6, 6),
        (None, 3, 3),
    ],
)
def test_cores_are_those_that_the_process_may_use(tmp_path, monkeypatch, content, bound, expected):
    if content is not None:
        (tmp_path / 'cpu.max').write_text(content)
    monkeypatch.setattr(cores, '_QUOTA', tmp_path / 'cpu.max')
    monkeypatch.setattr(cores, '_QUOTA_V1', (tmp_path / 'quota', tmp_path / 'period'))
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(bound)), raising=False)
    assert cores.available_cores() == expected


@pytest.mark.parametrize(('quota', 'expected'), [('-1\n', 6), ('300000\n', 3)])
def test_the_older_control_groups_have_two_files(tmp_path, monkeypatch, quota, expected):
    (tmp_path / 'quota').write_text(quota)
    (tmp_path / 'period').write_text('100000\n')
    monkeypatch.setattr(cores, '_QUOTA', tmp_path / 'absent')
    monkeypatch.setattr(cores, '_QUOTA_V1', (tmp_path / 'quota', tmp_path / 'period'))
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(6)), raising=False)
    assert cores.available_cores() == expected
