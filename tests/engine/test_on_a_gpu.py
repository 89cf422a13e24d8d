"""Training, resuming and testing on a GPU that is emulated: the same code and the same types, computed on the CPU."""

import contextlib

import emulated_gpu
import numpy as np
import pytest
import tiny_training
import torch
import toy_run
from emulated_gpu import GPU, NO_GPU, on_gpu
from mmengine.optim import AmpOptimWrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmpretrain_inception.engine import BF16OptimWrapper, DeployHook
from mmpretrain_inception.engine.amp.bf16_test_loop import BF16TestLoop
from mmpretrain_inception.engine.runner.rank_buffers import _joined, _split
from mmpretrain_inception.engine.runner.seeds import seed_process, seed_worker

pytestmark = NO_GPU

HALF = {'bf16': torch.bfloat16, 'fp16': torch.float16}


def values(tensors):
    return {name: tensor.tolist() for name, tensor in tensors.items()}


def train_tiny(rank, folder, emulate, options):
    if emulate:
        emulated_gpu.start()
    runner = tiny_training.train(folder, **options)
    average = next(hook for hook in runner.hooks if hasattr(hook, 'ema_model')).ema_model.module
    places = {str(tensor.device) for module in (runner.model, average) for tensor in module.state_dict().values()}
    return values(runner.model.state_dict()), values(average.state_dict()), places


@pytest.mark.parametrize('options', [{}, dict(bad=(4,), max_skipped=1), dict(accumulate=2)], ids=str)
def test_training_on_a_gpu_gives_what_a_cpu_gives(tmp_path, options):
    model, average, places = on_gpu(tmp_path, train_tiny, tmp_path / 'gpu', True, options)
    expected = on_gpu(tmp_path, train_tiny, tmp_path / 'cpu', False, options)

    assert (places, expected[2]) == ({'cuda:0'}, {'cpu'})
    for found, other in ((model, expected[0]), (average, expected[1])):
        assert found.keys() == other.keys()
        for name in found:
            np.testing.assert_allclose(found[name], other[name], rtol=1e-5, atol=1e-7, err_msg=name)


def kill():
    raise toy_run.Killed


def train_with_and_without_a_kill(rank, folder):
    emulated_gpu.start()
    whole = toy_run.build(folder / 'whole')
    whole.train()
    with contextlib.suppress(toy_run.Killed):
        toy_run.build(folder / 'killed', hooks=[toy_run.Do(8, kill)]).train()
    resumed = toy_run.build(folder / 'killed', resume=True)
    resumed.train()
    saved = torch.load(folder / 'killed/epoch_3.pth', weights_only=True)
    momenta = [state['momentum_buffer'] for state in saved['optimizer']['state'].values()]
    places = {str(tensor.device) for tensor in (*saved['state_dict'].values(), *momenta)}
    return toy_run.state(whole), toy_run.state(resumed), places


def test_a_killed_run_resumes_exactly_and_its_checkpoints_load_without_a_gpu(tmp_path):
    whole, resumed, places = on_gpu(tmp_path, train_with_and_without_a_kill, tmp_path)
    assert resumed == whole
    assert places == {'cpu'}


def classifier(precision):
    """Build the whole network for bfloat16, and its first half for float16, which a CPU computes slowly."""
    whole = precision == 'bf16'
    channels = {} if whole else dict(in_channels=288)
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='mmpretrain_inception.InceptionV3', out_indices=(3, 4) if whole else (2,)),
            neck=dict(type='mmpretrain_inception.InceptionNeck'),
            head=dict(type='mmpretrain_inception.InceptionHead', num_classes=10, with_aux=whole, **channels),
        )
    )


def batch():
    images = torch.randint(0, 256, (2, 3, 75, 75), dtype=torch.uint8)
    return dict(inputs=images, data_samples=[DataSample().set_gt_label(label) for label in (1, 7)])


def train_step(rank, precision):
    gpu = emulated_gpu.start(bf16=precision == 'bf16')
    model = classifier(precision).train().to(GPU)
    kind = dict(bf16=BF16OptimWrapper, fp16=AmpOptimWrapper)[precision]
    wrapper = kind(optimizer=torch.optim.SGD(model.parameters(), 0.01))
    step, types = wrapper.step, set()

    def note_types_and_step():
        types.update((str(parameter.dtype), str(parameter.grad.dtype)) for parameter in model.parameters())
        step()

    wrapper.step = note_types_and_step
    losses = model.train_step(batch(), wrapper)
    return dict(
        convolutions={(str(dtype), image, kernel) for dtype, image, kernel in gpu.convolutions},
        losses=[value.item() for name, value in losses.items() if name.startswith('loss')],
        types=types,
        places={str(parameter.device) for parameter in model.parameters()},
        state=sorted(wrapper.state_dict()),
    )


@pytest.mark.slow
@pytest.mark.parametrize('precision', HALF)
def test_a_step_in_mixed_precision_convolves_in_it_and_in_channels_last(tmp_path, precision):
    step = on_gpu(tmp_path, train_step, precision)

    forward = {found for found in step['convolutions'] if found[0] != 'torch.float32'}
    # The images themselves come as the loader makes them; the first kernel turns them.
    assert forward == {(str(HALF[precision]), image, True) for image in (True, False)}
    assert step['convolutions'] == forward
    assert all(np.isfinite(step['losses']))
    # Every parameter has a gradient, both in float32.
    assert step['types'] == {('torch.float32', 'torch.float32')}
    assert step['places'] == {'cuda:0'}
    # Only float16 needs its loss scaled, and saves the scale.
    assert ('loss_scaler' in step['state']) == (precision == 'fp16')


def test_steps(rank, precision):
    """Return the scores of a test in mixed precision with and without the deploy form, and the type of its kernels."""
    emulated_gpu.start(bf16=precision == 'bf16')
    model = classifier(precision).eval().to(GPU)
    runner = type('Runner', (), dict(model=model, test_loop=type('Loop', (), dict(fp16=True))))
    hook = DeployHook()
    scores, kernels = [], []
    with torch.no_grad(), torch.autocast('cuda', HALF[precision]):
        scores.append([sample.pred_score.tolist() for sample in model.test_step(batch())])
        hook.before_test_iter(runner, 0)
        kernels.append(str(runner.model.backbone.Mixed_5d.branch1x1.conv.weight.dtype))
        scores.append([sample.pred_score.tolist() for sample in runner.model.test_step(batch())])
    return scores, kernels


test_steps.__test__ = False


@pytest.mark.slow
@pytest.mark.parametrize('precision', HALF)
def test_a_deployed_model_tests_in_mixed_precision(tmp_path, precision):
    (plain, deployed), kernels = on_gpu(tmp_path, test_steps, precision)
    assert kernels == [str(HALF[precision])]
    np.testing.assert_allclose(deployed, plain, atol=2e-2)


def test_loop_types(rank):
    emulated_gpu.start()
    seen = []

    class Loop(BF16TestLoop):
        def __init__(self, fp16):
            self.fp16, self.test_loss = fp16, {}
            self.evaluator = type('Evaluator', (), dict(process=staticmethod(lambda **_: None)))
            model = type('Model', (), dict(test_step=staticmethod(self.step)))
            self._runner = type('Runner', (), dict(call_hook=staticmethod(lambda *_, **__: None), model=model))

        def step(self, _):
            seen.append(str(torch.get_autocast_dtype('cuda')) if torch.is_autocast_enabled('cuda') else None)
            return [DataSample()]

    for fp16 in (True, False):
        Loop(fp16).run_iter(0, [])
    return seen


test_loop_types.__test__ = False


def test_the_loop_tests_in_bfloat16_where_mmengine_takes_float16(tmp_path):
    assert on_gpu(tmp_path, test_loop_types) == ['torch.bfloat16', None]


def gradients_of_the_stem(rank, with_cp):
    emulated_gpu.start()
    torch.manual_seed(0)
    stem = MODELS.build(dict(type='mmpretrain_inception.InceptionV3', out_indices=(1,), with_cp=with_cp))
    stem = stem.train().to(GPU)
    with torch.autocast('cuda', torch.bfloat16):
        (result,) = stem(torch.ones(2, 3, 75, 75).to(GPU).mul(torch.arange(75.0).to(GPU)))
    result.float().square().mean().backward()
    statistics = {name: buffer.tolist() for name, buffer in stem.named_buffers()}
    return {name: parameter.grad.tolist() for name, parameter in stem.named_parameters()}, statistics


def test_recomputed_activations_give_the_same_gradients_and_statistics(tmp_path):
    plain, checkpointed = (on_gpu(tmp_path, gradients_of_the_stem, with_cp) for with_cp in (False, True))
    assert checkpointed == plain


def joined_and_split(rank):
    emulated_gpu.start()
    norm = torch.nn.BatchNorm1d(2).to(GPU)
    own = _joined(norm)
    with torch.no_grad():
        norm.running_mean.fill_(9)
    for dtype, joined in own.items():
        _split(norm, dtype, joined)
    return {str(joined.device) for joined in own.values()}, norm.running_mean.tolist(), str(norm.running_mean.device)


def test_statistics_of_processes_travel_on_the_cpu_and_return_to_the_gpu(tmp_path):
    assert on_gpu(tmp_path, joined_and_split) == ({'cpu'}, [0.0, 0.0], 'cuda:0')


def seeded(rank):
    gpu = emulated_gpu.start()
    seed_worker(1)
    workers = gpu.calls['manual_seed_all']
    seed_process(1)
    return workers, gpu.calls['manual_seed_all']


def test_data_workers_leave_the_gpu_alone_and_the_process_seeds_it(tmp_path):
    assert on_gpu(tmp_path, seeded) == (0, 1)


def mixed(rank):
    emulated_gpu.start()
    found = []
    for work in (
        lambda: torch.ones(2).to(GPU) + torch.ones(2),
        lambda: torch.ones(2)[torch.zeros(1, dtype=torch.int64).to(GPU)],
        lambda: torch.ones(2).to(GPU).numpy(),
    ):
        try:
            work()
            found.append('')
        except (RuntimeError, TypeError) as error:
            found.append(str(error))
    return found


def test_the_emulated_gpu_refuses_what_a_real_one_refuses(tmp_path):
    added, indexed, converted = on_gpu(tmp_path, mixed)
    assert 'aten.add.Tensor: expected all tensors on the same device' in added
    assert 'aten.index.Tensor: expected all tensors on the same device' in indexed
    assert "can't convert cuda:0 device type tensor to numpy" in converted
