import pytest

from mmpretrain_inception.configuring.fast import check_fast, choose_way
from mmpretrain_inception.configuring.machine import Machine
from mmpretrain_inception.configuring.options import TestOptions
from mmpretrain_inception.errors import UsageError

NATIVE, EMULATED, GPU = Machine(bf16=True), Machine(bf16=False), Machine(cuda=True, bf16=True)
OLD_GPU = Machine(cuda=True, bf16=False)
ALL = ('openvino', 'onnxruntime')


@pytest.mark.parametrize(
    ('machine', 'installed', 'expected'),
    [
        (NATIVE, ALL, 'OpenVINO in bf16'),
        (NATIVE, ('onnxruntime',), 'PyTorch in bf16'),
        (EMULATED, ALL, 'OpenVINO in fp32'),
        (EMULATED, ('onnxruntime',), 'ONNX Runtime in fp32'),
        (EMULATED, (), 'PyTorch in fp32'),
        (GPU, ALL, 'PyTorch in bf16'),
        (OLD_GPU, ALL, 'PyTorch in fp16'),
    ],
)
def test_the_fastest_way_depends_on_the_processor_and_on_what_is_installed(machine, installed, expected):
    assert choose_way(machine, installed.__contains__).name == expected


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(amp=True), 'leave out --amp'),
        (dict(amp='force', deploy=True), 'leave out --deploy and --amp'),
        (dict(launcher='pytorch'), 'leave out --launcher'),
        (dict(checkpoints=('a.pth', 'b.pth')), 'expected one checkpoint'),
        (dict(checkpoints=()), 'expected one checkpoint'),
        (dict(checkpoints=('a.onnx',)), 'expected one checkpoint, not several and no exported file'),
    ],
)
def test_what_does_not_go_together_with_it_is_refused(options, message):
    with pytest.raises(UsageError, match=message):
        check_fast(TestOptions('c.py', **{'checkpoints': ('a.pth',), **options}))
