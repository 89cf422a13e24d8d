from dataclasses import replace
from pathlib import Path

import emulated_gpu
import pytest
import torch
from emulated_gpu import GPU, NO_GPU, on_gpu
from mmengine.config import Config
from mmpretrain.registry import MODELS
from support import CONFIGS

from benchmarks.speed.networks import (
    Form,
    build_timm,
    build_torchvision,
    classifier_training_step,
    inference_step,
    load_ours,
    network_training_step,
)
from benchmarks.speed.rows import ROWS, Row
from benchmarks.speed.run import Options, run_benchmark
from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.errors import InputError, UsageError

pytestmark = pytest.mark.usefixtures('narrow')

CONFIG = CONFIGS / 'inception-v3-aux_8xb32_in1k.py'

OPTIONS = Options(str(CONFIG), phases=['training'], train_batch_sizes=[2, 4], shape=[75, 75], rounds=3)


@pytest.fixture(scope='module')
def images():
    return torch.randn(2, 3, 75, 75, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    'form',
    [
        Form(channels_last=True),
        Form(deploy=True),
        Form(deploy=True, channels_last=True),
        pytest.param(Form(bf16=True, channels_last=True), id='bf16'),
        pytest.param(Form(bf16=True, channels_last=True, deploy=True), id='bf16, deploy'),
    ],
    ids=str,
)
def test_every_form_of_our_row_computes_the_same(images, form):
    cfg = Config.fromfile(CONFIG)
    plain = load_ours(cfg, None)
    expected = inference_step(plain, images, Form())()
    other = load_ours(cfg, None)
    other.load_state_dict(plain.state_dict())

    found = inference_step(other, images, form)().float()

    tolerance = 0.05 if form.bf16 else 1e-5
    torch.testing.assert_close(found, expected, atol=tolerance * expected.abs().max().item(), rtol=0)


@pytest.mark.parametrize('build', [build_torchvision, build_timm])
def test_other_publishers_networks_return_logits(images, build):
    assert inference_step(build(10), images, Form())().shape == (2, 10)


@pytest.mark.slow
def test_training_steps_train(images):
    labels = torch.tensor([0, 1])
    ours = load_ours(Config.fromfile(CONFIG), None)
    theirs = build_torchvision(10)
    larger = torch.randn(2, 3, 299, 299)
    for network, step in (
        (ours, classifier_training_step(ours, images, labels, Form(channels_last=True, bf16=True))),
        (theirs, network_training_step(theirs, larger, labels, Form())),
    ):
        before = {name: parameter.clone() for name, parameter in network.named_parameters()}
        step()
        same = [name for name, parameter in network.named_parameters() if torch.equal(parameter, before[name])]
        assert same == []


def test_the_first_row_of_each_phase_is_mmpretrains():
    assert {phase: rows[0].name.partition(',')[0] for phase, rows in ROWS.items()} == {
        'inference': 'mmpretrain',
        'training': 'mmpretrain',
    }
    assert all(len({row.name for row in rows}) == len(rows) for rows in ROWS.values())


def test_only_that_names_no_row_lists_them():
    with pytest.raises(UsageError, match=r"--only nobody: no row has such a name; the rows are \['mmpretrain"):
        run_benchmark(replace(OPTIONS, only=['nobody']))


@pytest.fixture
def only_rows(monkeypatch):
    """Take the place of the rows, and leave out what takes long."""
    monkeypatch.setattr('benchmarks.speed.machine._MATRIX_SIZE', 64)
    monkeypatch.setattr('benchmarks.speed.timing._SETTLE_SECONDS', 0)
    # The processes of the rows import `sleeping_rows` from here.
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return lambda *rows: monkeypatch.setitem(ROWS, 'training', list(rows))


@pytest.mark.slow
def test_rows_are_timed_each_in_its_environment_and_compared_with_the_first(only_rows):
    only_rows(
        Row('slow', 'fp32', 'sleeping_rows:sleep', dict(seconds=0.04)),
        Row('fast', 'fp32', 'sleeping_rows:sleep_as_the_environment_says', environment=dict(SECONDS_TO_SLEEP='0.01')),
    )

    reports = []
    results = run_benchmark(OPTIONS, lambda done, context: reports.append((len(done), context['rounds'])))

    order = [(result.name, result.batch_size) for result in results]
    assert order == [('slow', 2), ('fast', 2), ('slow', 4), ('fast', 4)]
    assert results[0].ratio == 1
    assert results[1].ratio > 1
    assert results[3].images_per_s > results[1].images_per_s
    assert all(result.share > 0 for result in results)
    assert reports == [(2, 3), (4, 3)]


@pytest.mark.parametrize(
    ('native', 'only', 'names'),
    [(True, None, ['first', 'a', 'b']), (False, None, ['first', 'b']), (False, ['a'], ['first', 'a'])],
)
def test_rows_that_would_be_emulated_are_left_out_in_one_line(monkeypatch, capsys, only_rows, native, only, names):
    """But those that are asked for by name."""
    monkeypatch.setattr(Machine, 'here', lambda: Machine(bf16=native))
    timed = []
    monkeypatch.setattr('benchmarks.speed.run._time_group', lambda subject, phase, rows, *_: timed.append(rows) or [])
    only_rows(*(Row(name, precision, '') for name, precision in (('first', 'fp32'), ('a', 'bf16'), ('b', 'fp32'))))
    run_benchmark(replace(OPTIONS, only=only, train_batch_sizes=[2]))
    assert [[row.name for row in rows] for rows in timed] == [names]
    said = 'left out, because bfloat16 is only emulated here (--only times them): a\n'
    assert capsys.readouterr().out.endswith(said) == (not native and only is None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('build', 'message'),
    [
        ('refuse', 'second: no such weights'),
        ('talk_and_vanish', 'second: its process ended without an answer'),
        pytest.param('vanish_in_a_step', 'second: its process ended without an answer', marks=pytest.mark.stress),
    ],
)
def test_a_row_that_fails_ends_the_run_with_its_reason_and_its_processes(only_rows, build, message):
    only_rows(
        Row('first', 'fp32', 'sleeping_rows:sleep', dict(seconds=0)), Row('second', 'fp32', f'sleeping_rows:{build}')
    )
    before = children()
    with pytest.raises(InputError, match=message):
        run_benchmark(OPTIONS)
    assert children() == before


def children():
    """Return the processes that this one has started, where the system tells."""
    listed = Path('/proc/thread-self/children')
    return set(listed.read_text().split()) if listed.exists() else set()


def training_step_on_gpu(rank):
    emulated_gpu.start()
    parts = dict(
        backbone=dict(type='LeNet5'),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=120),
    )
    model = MODELS.build(dict(type='ImageClassifier', **parts))
    before = model.head.fc.weight.tolist()
    images, labels = torch.randn(2, 1, 32, 32).to(GPU), torch.tensor([0, 2]).to(GPU)
    classifier_training_step(model.to(GPU), images, labels, Form(bf16=True))()
    return before != model.head.fc.weight.tolist()


@NO_GPU
def test_a_classifier_trains_on_a_gpu_with_labels_that_are_there(tmp_path):
    assert on_gpu(tmp_path, training_step_on_gpu)
