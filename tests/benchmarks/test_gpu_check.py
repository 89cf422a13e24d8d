import json
import pkgutil
import sys
import time
from pathlib import Path

import pytest
import torch
from support import REPOSITORY, run

from benchmarks.gpu import processes
from benchmarks.gpu.one_step import run_step
from benchmarks.gpu.processes import Outcome, run_in_process
from benchmarks.gpu.report import format_line, format_report, format_summary, has_failed, write_json
from benchmarks.gpu.settings import CheckFailedError, LeftOutError, Settings, expect_close, settings_for
from benchmarks.gpu.steps import STEPS, Step
from benchmarks.gpu.training import differences
from benchmarks.speed.report import Result
from mmpretrain_inception.errors import InputError

RESULT = Result('inference', 8, 'ours', 'bf16', 71.0, 70.0, 72.0, 1.0, 0.5, 100.0)
OUTCOMES = [
    Outcome('test', 'passed', 12.34, dict(difference=0.00012, images=8), '', '', []),
    Outcome('training in float16', 'left out', 9.0, {}, 'a CPU has none', '', []),
    Outcome('DDP', 'failed', 60.0, {}, 'not finished after 60 s', 'gloo instead of nccl', ['last line']),
    Outcome('images/s of inference', 'passed', 20.0, dict(fastest='ours', rows=[vars(RESULT)]), '', '', []),
]


def test_steps_are_functions_and_have_names_of_their_own():
    assert all(callable(pkgutil.resolve_name(step.function)) for step in STEPS)
    assert len({step.name for step in STEPS}) == len({step.function for step in STEPS}) == len(STEPS)


@pytest.mark.parametrize('device', ['cuda', 'cpu'])
def test_settings_reach_another_process(device):
    settings = settings_for(device, '/folder')
    assert Settings.from_json(json.loads(json.dumps(settings.as_json()))) == settings
    assert settings.on_gpu == (device == 'cuda')
    assert settings.digits['val_dataloader.dataset.data_root'] == '/folder/digits'


def raising(error):
    def step(settings):
        raise error

    return step


@pytest.mark.parametrize(
    ('step', 'status', 'message'),
    [
        (lambda settings: dict(loss=1.0), 'passed', ''),
        (raising(LeftOutError('no GPU')), 'left out', 'no GPU'),
        (raising(CheckFailedError('expected 1, got 2')), 'failed', 'expected 1, got 2'),
        (raising(InputError('a.pth cannot be read\nmore')), 'failed', 'a.pth cannot be read'),
    ],
)
def test_a_step_ends_with_what_it_found_or_a_line(monkeypatch, step, status, message):
    monkeypatch.setattr(pkgutil, 'resolve_name', lambda name: step)
    answer = run_step('any:step', Settings('cpu', '/folder'))
    assert (answer['status'], answer['message']) == (status, message)
    assert answer['found'] == (dict(loss=1.0) if status == 'passed' else {})


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """Run a step of `quick_step.py`, in a folder of its own."""
    monkeypatch.setattr(processes, '_MODULE', 'quick_step')
    monkeypatch.setenv('PYTHONPATH', str(Path(__file__).parent))
    # One of them is killed before it would write what it printed.
    monkeypatch.setenv('PYTHONUNBUFFERED', '1')
    return lambda kind, device='cpu', left=2: run_in_process(
        Step(kind, f'quick_step:{kind}', 60, 'smaller'), Settings(device, str(tmp_path)), left
    )


def ended(process, seconds=10):
    """Return whether a process ends in this time; a killed one needs a moment."""
    for _ in range(100):
        state = Path(f'/proc/{process}/stat')
        if not state.exists() or ') Z ' in state.read_text():
            return True
        time.sleep(seconds / 100)
    return False


@pytest.mark.skipif(sys.platform != 'linux', reason='looks at /proc')
@pytest.mark.parametrize(
    ('kind', 'status', 'message'),
    [
        ('work', 'passed', 'work'),
        ('fail', 'failed', 'fail'),
        ('vanish', 'failed', 'its process ended with status 7: this is vanish on cpu'),
        ('hang', 'failed', 'not finished after 2 s: this is hang on cpu'),
    ],
)
def test_a_process_that_does_anything_at_all_has_an_outcome(quick, tmp_path, kind, status, message):
    outcome = quick(kind)
    assert outcome.status == status
    assert outcome.message.startswith(message)
    assert outcome.note == 'smaller'
    assert bool(outcome.log) == (status == 'failed')
    if kind == 'hang':
        assert ended(int((tmp_path / 'hang.pid').read_text()))


def test_a_step_without_time_has_failed(quick):
    assert quick('work', left=-3).message.startswith('not finished after 0 s')
    assert [Step('a', 'b:c', 60).limit(device) for device in ('cuda', 'cpu')] == [60, 600]


def test_the_gpu_is_hidden_from_the_steps_of_the_cpu_only(quick):
    assert "GPUs ''" in quick('fail').log[0]
    on_gpu = quick('fail', 'cuda')
    assert 'on cuda' in on_gpu.log[0]
    assert "GPUs ''" not in on_gpu.log[0]
    assert on_gpu.note == ''


def test_each_step_is_a_line_and_a_row():
    assert format_line(OUTCOMES[0]) == 'passed     12.3 s  test: difference 0.00012; images 8'
    assert format_line(OUTCOMES[1]) == 'left out    9.0 s  training in float16: a CPU has none'
    assert format_line(OUTCOMES[2]).endswith('DDP: not finished after 60 s; on a CPU: gloo instead of nccl')
    report = format_report(OUTCOMES)
    assert '| DDP | failed | 60.0 | not finished after 60 s; on a CPU: gloo instead of nccl |' in report
    assert '**inference, batch 8**' in report
    assert '| ours | 71.0 | 70.0 - 72.0 | 1.00x | 50% | 100 |' in report
    assert format_summary(OUTCOMES, 'a card') == '2 passed, 1 left out, 1 failed on a card in 101 s'


def test_one_failure_decides_and_what_is_left_out_does_not():
    assert has_failed(OUTCOMES)
    assert not has_failed(OUTCOMES[:2])


def test_json_holds_the_machine_every_step_and_the_speeds(tmp_path):
    write_json(OUTCOMES, dict(device='a card'), tmp_path / 'check.json')
    document = json.loads((tmp_path / 'check.json').read_text())
    assert document['machine'] == dict(device='a card')
    assert [step['status'] for step in document['steps']] == ['passed', 'left out', 'failed', 'passed']
    assert document['steps'][2]['log'] == ['last line']
    assert document['steps'][3]['found']['rows'][0]['images_per_s'] == 71.0


def state(bit=0.0):
    return dict(model=dict(weight=torch.tensor([1.0, 2.0 + bit])), steps=[dict(step=3)], rate=(0.1, None))


@pytest.mark.parametrize(
    ('found', 'names'),
    [
        (state(), []),
        (state(bit=2.4e-7), ['model.weight']),
        ({**state(), 'steps': [dict(step=4)]}, ['steps.0.step']),
        ({**state(), 'steps': []}, ['steps']),
        ({**state(), 'rate': [0.1, None]}, ['rate']),
        ({**state(), 'more': 1}, ['more']),
        ({**state(), 'model': dict(weight=torch.tensor([1.0]))}, ['model.weight']),
        ({**state(), 'model': {}}, ['model.weight']),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_single_bit_is_a_difference(found, names):
    assert differences(found, state()) == names


@pytest.mark.parametrize(('found', 'passes'), [(1.05, True), (1.2, False), (float('nan'), False)])
def test_differences_are_shares_of_the_largest_value(found, passes):
    expected = torch.tensor([0.01, -1.0])
    values = torch.tensor([0.01, -found])
    if passes:
        assert expect_close(values, expected, 0.1, 'logits') == pytest.approx(0.05)
        return
    with pytest.raises(CheckFailedError, match=r'logits: expected a difference of at most 0\.1, got (0\.2|nan)'):
        expect_close(values, expected, 0.1, 'logits')


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_a_computer_without_a_gpu_is_told_so_in_a_line(tmp_path):
    result = run(sys.executable, REPOSITORY / 'benchmarks/gpu_check.py', cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        'error: no GPU was found (torch.cuda.is_available()); --device cpu tries the steps on the processor'
    ]
    assert list(tmp_path.iterdir()) == []
