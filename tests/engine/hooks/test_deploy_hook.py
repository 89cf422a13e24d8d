import logging
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.engine.hooks import EMAHook
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

from mmpretrain_inception.engine import BF16TestLoop, CompileHook, DeployHook
from mmpretrain_inception.errors import InputError

pytestmark = pytest.mark.usefixtures('narrow')


@pytest.fixture
def runner(make_classifier, randomise):
    """What hooks see of a Runner that tests a random model."""
    torch.manual_seed(0)
    model = randomise(make_classifier()).eval()
    return SimpleNamespace(
        model=model, test_loop=SimpleNamespace(fp16=False), logger=logging.getLogger(), _resume=False
    )


def logits(model, images):
    with torch.no_grad():
        return model(images, mode='tensor')


def test_a_copy_is_tested_and_the_model_comes_back(runner):
    hook, original = DeployHook(), runner.model
    names = list(original.state_dict())
    hook.before_test_iter(runner, 0)
    switched = runner.model
    hook.before_test_iter(runner, 1)
    assert runner.model is switched
    assert switched.backbone.deploy
    hook.after_test(runner)
    assert runner.model is original
    assert list(original.state_dict()) == names


def test_each_pass_tests_the_weights_that_the_model_has_by_then(runner):
    hook, original, images = DeployHook(), runner.model, torch.randn(2, 3, 75, 75)
    for scale in (1, 2):
        with torch.no_grad():
            original.head.fc.weight.mul_(scale)
        hook.before_test_iter(runner, 0)
        torch.testing.assert_close(logits(runner.model, images), logits(original, images), rtol=1e-4, atol=1e-4)


def test_an_average_is_tested_and_swapped_back(runner):
    average, deploy, original = EMAHook(), DeployHook(), runner.model
    average.before_run(runner)
    with torch.no_grad():
        original.head.fc.bias.fill_(3)
        average.ema_model.module.head.fc.bias.fill_(5)
    average.before_test_epoch(runner)
    deploy.before_test_iter(runner, 0)
    assert runner.model.head.fc.bias[0] == 5
    average.after_test_epoch(runner)
    deploy.after_test(runner)
    assert runner.model.head.fc.bias[0] == 3


def test_convolutions_hold_what_autocast_would_make_of_them(runner):
    deploy, images = DeployHook(), torch.randn(2, 3, 75, 75)
    with torch.autocast('cpu', torch.bfloat16):
        deploy.before_test_iter(runner, 0)
        expected = logits(runner.model, images)
        assert runner.model.backbone.Mixed_7c.branch1x1.conv.weight.dtype == torch.float32
        runner.test_loop.fp16 = True
        deploy.before_test_iter(runner, 0)
        assert runner.model.backbone.Mixed_7c.branch1x1.conv.weight.dtype == torch.bfloat16
        assert runner.model.head.fc.weight.dtype == torch.float32
        assert torch.equal(logits(runner.model, images), expected)
        assert runner.model.predict(images)[0].pred_score.dtype == torch.float32


def test_a_model_without_a_deploy_form_is_refused(runner):
    runner.model = MODELS.build(dict(type='ResNet', depth=18))
    with pytest.raises(InputError, match=r'no part of the model has a deploy form .* without --deploy'):
        DeployHook().before_test_iter(runner, 0)


def test_the_loop_tests_in_bfloat16_where_mmengine_takes_float16():
    seen = []

    class Loop(BF16TestLoop):
        def __init__(self, fp16):
            self.fp16, self.test_loss = fp16, {}
            self.evaluator = SimpleNamespace(process=lambda **_: None)
            self._runner = SimpleNamespace(call_hook=lambda *_, **__: None, model=SimpleNamespace(test_step=self.step))

        def step(self, _):
            seen.append(torch.get_autocast_dtype('cpu') if torch.is_autocast_enabled('cpu') else None)
            return [DataSample()]

    default = torch.get_autocast_dtype('cpu')
    # The default of a GPU.
    torch.set_autocast_dtype('cpu', torch.float16)
    try:
        for fp16 in (True, False):
            Loop(fp16).run_iter(0, [])
    finally:
        torch.set_autocast_dtype('cpu', default)
    assert seen == [torch.bfloat16, None]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which('g++') is None, reason='torch.compile needs a C++ compiler')
@pytest.mark.parametrize(
    ('stage', 'channels', 'convolutions'), [(0, 64, 3), pytest.param(4, 2048, 94, marks=pytest.mark.stress)]
)
def test_the_compiled_backbone_has_constant_weights_and_leaves_the_last_batch_eager(
    runner, make_classifier, randomise, stage, channels, convolutions
):
    from torch._inductor.utils import run_and_get_code

    head = dict(in_channels=channels, with_aux=False)
    runner.model = randomise(make_classifier(backbone=dict(out_indices=stage), head=head)).eval()

    deploy, hook, images = DeployHook(), CompileHook(), torch.randn(3, 3, 75, 75)
    expected = logits(runner.model, images)
    torch.compiler.reset()
    deploy.before_test_iter(runner, 0)
    hook.before_test_iter(runner, 0)
    found, code = run_and_get_code(logits, runner.model, images)
    # Only frozen weights are laid out for this operator of oneDNN.
    assert sum(text.count('_convolution_pointwise') for text in code) >= convolutions
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    hook.after_test_iter(runner, 0)
    last, code = run_and_get_code(logits, runner.model, images[:2])
    assert code == []
    assert (last - expected[:2]).abs().max() < 1e-5 * expected.abs().max()
    hook.after_test(runner)
    deploy.after_test(runner)
    assert not torch._inductor.config.freezing
    assert isinstance(runner.model.backbone.Conv2d_1a_3x3.bn, nn.BatchNorm2d)
    torch.compiler.reset()
