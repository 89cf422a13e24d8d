import pytest
import torch

from mmpretrain_inception.utils.processor import describe_processor, has_native_bf16

AMX = dict(amx_bf16=True, avx512_bf16=True, avx512_f=True, avx2=True, cpu_name='Xeon')
ZEN4 = dict(amx_bf16=False, avx512_bf16=True, avx512_f=True, avx2=True, cpu_name='EPYC')
SKYLAKE = dict(avx512_bf16=False, avx512_vnni=False, avx512_f=True, avx2=True, cpu_name='Xeon')
ZEN3 = dict(avx512_f=False, avx2=True, cpu_name='EPYC')
GRAVITON3 = dict(neon=True, bf16=True, sve=True, architecture='aarch64')
GRAVITON2 = dict(neon=True, bf16=False, architecture='aarch64')


@pytest.fixture
def processor(monkeypatch):
    """Pretend that torch finds these instruction sets, with no limit in the environment."""
    for name in ('ONEDNN_MAX_CPU_ISA', 'DNNL_MAX_CPU_ISA'):
        monkeypatch.delenv(name, raising=False)
    return lambda found: monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: found, raising=False)


@pytest.mark.parametrize(
    ('found', 'native', 'described'),
    [
        (AMX, True, 'Xeon, AMX'), (ZEN4, True, 'EPYC, AVX-512 with bfloat16'), (SKYLAKE, False, 'Xeon, AVX-512'),
        (ZEN3, False, 'EPYC, AVX2'), (GRAVITON3, True, 'aarch64, SVE'), (GRAVITON2, False, 'aarch64, NEON'),
        (dict(architecture='riscv64'), False, 'riscv64, no vector instructions known'),
    ],
)  # fmt: skip
def test_each_kind_of_processor(processor, found, native, described):
    processor(found)
    assert has_native_bf16() == native
    assert describe_processor() == described


@pytest.mark.parametrize(
    ('name', 'level', 'native'),
    [
        ('ONEDNN_MAX_CPU_ISA', 'AVX2', False), ('ONEDNN_MAX_CPU_ISA', 'avx512_core', False),
        ('DNNL_MAX_CPU_ISA', 'SSE41', False), ('ONEDNN_MAX_CPU_ISA', 'AVX512_CORE_BF16', True),
        ('ONEDNN_MAX_CPU_ISA', 'ALL', True),
    ],
)  # fmt: skip
def test_the_limit_of_the_environment_is_respected(processor, monkeypatch, name, level, native):
    processor(AMX)
    monkeypatch.setenv(name, level)
    assert has_native_bf16() == native
    assert describe_processor() == f'Xeon, AMX, limited to {level} by ONEDNN_MAX_CPU_ISA'


@pytest.mark.parametrize('native', [True, False])
def test_older_versions_of_torch_are_asked_one_by_one(processor, monkeypatch, native):
    monkeypatch.delattr(torch.cpu, 'get_capabilities', raising=False)
    for question in ('amx_tile', 'avx512', 'avx2'):
        monkeypatch.setattr(torch.cpu, f'_is_{question}_supported', lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: native, raising=False)
    assert has_native_bf16() == native
