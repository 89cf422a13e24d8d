from types import SimpleNamespace

import pytest
import torch
from mmengine._strategy import fsdp
from torch import nn

from mmpretrain_inception.engine import FSDPStrategy, sharding


@pytest.mark.parametrize(('gpus', 'place'), [(True, 1), (False, 'cpu')])
def test_parameters_are_sharded_on_the_gpu_of_the_process_or_on_the_cpu(monkeypatch, gpus, place):
    built = []

    def build(settings, default_args):
        built.append({**default_args, **(settings or {})})
        raise RuntimeError('as far as a test without a process group goes')

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpus)
    # mmengine's logger looks for the GPU of its process.
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 2)
    monkeypatch.setenv('LOCAL_RANK', '1')
    monkeypatch.setattr(fsdp.MODEL_WRAPPERS, 'build', build)
    model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
    with pytest.raises(RuntimeError, match='as far as a test'):
        FSDPStrategy(model_wrapper=dict(type='MMFullyShardedDataParallel'))._wrap_model(model)
    assert built[0]['device_id'] == place
    assert model.weight.is_contiguous()


@pytest.mark.parametrize(('faulty', 'by'), [(True, 'ours'), (False, "mmengine's")])
def test_an_optimizer_is_loaded_here_only_if_mmengine_does_it_wrongly(monkeypatch, faulty, by):
    loaded = []
    monkeypatch.setattr(sharding, 'loads_sharded_optimizers_wrongly', lambda: faulty)
    monkeypatch.setattr(sharding.FSDP, 'optim_state_dict_to_load', lambda *arguments: arguments)
    monkeypatch.setattr(fsdp.FSDPStrategy, 'load_optim_state_dict', lambda self, state: loaded.append("mmengine's"))
    strategy = object.__new__(FSDPStrategy)
    strategy.model = 'model'

    def load_state_dict(arguments):
        assert arguments == ('model', 'optimizer', 'state')
        loaded.append('ours')

    strategy.optim_wrapper = SimpleNamespace(optimizer='optimizer', load_state_dict=load_state_dict)
    strategy.load_optim_state_dict('state')
    assert loaded == [by]
