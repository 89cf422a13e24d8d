"""Workarounds are active where their fault is, which is looked for in the code of the dependency."""

import sys

import pytest
from mmengine._strategy import fsdp
from mmengine.config import Config
from support import REPOSITORY, run

from mmpretrain_inception import workarounds
from mmpretrain_inception.configuring import apply as applying
from mmpretrain_inception.configuring.plan import TrainPlan
from mmpretrain_inception.engine import ResumableFlexibleRunner, SyncedEMAHook
from mmpretrain_inception.engine.runner import launch, resumable_runner


@pytest.mark.parametrize('fault', workarounds.FAULTS, ids=lambda fault: fault.what)
def test_each_fault_is_looked_for_and_its_workaround_exists(fault):
    assert isinstance(fault.is_present(), bool)
    for place in fault.where.split(', '):
        name = place.partition(':')[0]
        assert (REPOSITORY / 'mmpretrain_inception' / name).exists() or (REPOSITORY / name).exists()


def in_order():
    return 'first', 'second'


@pytest.mark.parametrize(
    ('part', 'texts', 'found'),
    [
        (in_order, ('first', 'second'), True),
        (in_order, ('second', 'first'), False),
        (in_order, ('th.rd',), False),
        (len, ('len',), False),
    ],
)
def test_source_code_is_searched_in_order(part, texts, found):
    assert workarounds.has_source(part, *texts) is found


@pytest.mark.parametrize(
    ('look', 'owner', 'name', 'mended'),
    [
        (workarounds.selects_a_gpu, workarounds.dist_utils, '_init_dist_pytorch', lambda backend: None),
        (workarounds.passes_a_gpu_to_ddp, workarounds.Runner, 'wrap_model', lambda self, cfg, model: model),
        (workarounds.saves_objects, workarounds.MessageHub, 'state_dict', lambda self: {'log_scalars': {'loss': {}}}),
        (workarounds.leaves_averaged_buffers_apart, workarounds, 'SyncBuffersHook', SyncedEMAHook),
        (workarounds.loads_sharded_optimizers_wrongly, fsdp.FSDPStrategy, 'load_optim_state_dict', lambda self: None),
        (workarounds.overwrites_the_epoch, workarounds.FlexibleRunner, 'save_checkpoint', lambda self: None),
    ],
    ids=lambda part: part.__name__ if callable(part) and not isinstance(part, type) else '',
)
def test_a_mended_dependency_has_no_fault(monkeypatch, look, owner, name, mended):
    assert look()
    monkeypatch.setattr(owner, name, mended)
    assert not look()


@pytest.mark.parametrize('faulty', [True, False])
def test_processes_join_a_group_here_only_if_mmengine_selects_a_gpu(monkeypatch, faulty):
    joined = []
    monkeypatch.setattr(launch, 'selects_a_gpu', lambda: faulty)
    monkeypatch.setattr(launch, '_join_on_cpu', lambda *arguments: joined.append(arguments))
    monkeypatch.setattr(launch, 'has_gpu', lambda: False)
    monkeypatch.setattr(launch.RUNNERS, 'build', lambda cfg: None)
    launch.build_runner(Config(dict(launcher='pytorch', model={})))
    assert len(joined) == faulty


@pytest.mark.parametrize('faulty', [True, False])
def test_ddp_on_cpus_is_configured_here_only_if_mmengine_passes_a_gpu(monkeypatch, faulty):
    monkeypatch.setattr(applying, 'passes_a_gpu_to_ddp', lambda: faulty)
    written, _ = applying.apply(TrainPlan(work_dir='work', launcher='pytorch', ddp_on_cpu=True), Config())
    assert ('model_wrapper_cfg' in written) is faulty


@pytest.mark.parametrize(('faulty', 'epoch'), [(True, 3), (False, 4)])
def test_the_epoch_of_a_checkpoint_is_kept_only_from_an_mmengine_that_gets_it_wrong(monkeypatch, faulty, epoch):
    saved = []

    def save_checkpoint(self, out_dir, filename, meta, **kwargs):
        meta.update(epoch=4)
        saved.append(meta['epoch'])

    monkeypatch.setattr(resumable_runner, 'overwrites_the_epoch', lambda: faulty)
    monkeypatch.setattr(workarounds.FlexibleRunner, 'save_checkpoint', save_checkpoint)
    object.__new__(ResumableFlexibleRunner).save_checkpoint('work', 'best.pth', meta={'epoch': 3})
    assert saved == [epoch]


@pytest.mark.slow
def test_importing_prints_nothing(tmp_path):
    """mmcv warns of its missing operators, and the fork of mmpretrain prints a line."""
    result = run(sys.executable, '-c', 'import mmpretrain_inception', cwd=tmp_path, PYTHONPATH=REPOSITORY)
    assert (result.returncode, result.stdout, result.stderr) == (0, '', '')
