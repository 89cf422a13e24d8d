import pytest
import torch

from mmpretrain_inception.utils.processor import has_native_bf16, instruction_set

AMX = dict(amx_bf16=True, avx512_bf16=True, avx512_f=True, avx2=True)
ZEN4 = dict(amx_bf16=False, avx512_bf16=True, avx512_f=True, avx2=True)
SKYLAKE = dict(avx512_bf16=False, avx512_vnni=False, avx512_f=True, avx2=True)
ZEN3 = dict(avx512_f=False, avx2=True)
GRAVITON3 = dict(neon=True, bf16=True, sve=True)
GRAVITON2 = dict(neon=True, bf16=False)


@pytest.fixture
def processor(monkeypatch):
    """Pretend that torch finds these instruction sets, with no limit in the environment."""
    for name in ('ONEDNN_MAX_CPU_ISA', 'DNNL_MAX_CPU_ISA'):
        monkeypatch.delenv(name, raising=False)
    return lambda found: monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: found, raising=False)


@pytest.mark.parametrize(
    ('found', 'native', 'described'),
    [
        (AMX, True, 'AMX'), (ZEN4, True, 'AVX-512 with bfloat16'), (SKYLAKE, False, 'AVX-512'),
        (ZEN3, False, 'AVX2'), (GRAVITON3, True, 'SVE'), (GRAVITON2, False, 'NEON'),
        (dict(architecture='riscv64'), False, 'no vector instructions known'),
    ],
)  # fmt: skip
def test_each_kind_of_processor(processor, found, native, described):
    processor(found)
    assert has_native_bf16() == native
    assert instruction_set() == described


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
    assert instruction_set() == f'AMX, limited to {level} by ONEDNN_MAX_CPU_ISA'


@pytest.mark.parametrize('native', [True, False])
def test_older_versions_of_torch_are_asked_one_by_one(processor, monkeypatch, native):
    monkeypatch.delattr(torch.cpu, 'get_capabilities', raising=False)
    for question in ('amx_tile', 'avx512', 'avx2'):
        monkeypatch.setattr(torch.cpu, f'_is_{question}_supported', lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: native, raising=False)
    assert has_native_bf16() == native
