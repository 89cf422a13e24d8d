"""Write OpenVINO files and run them: an .xml file, and a .bin file of the same name next to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from mmpretrain_inception.deploy.contract import INPUT_NAME, KEY, OUTPUT_NAME, Contract
from mmpretrain_inception.deploy.extras import import_extra, quiet
from mmpretrain_inception.deploy.network import ExportedNetwork, trace
from mmpretrain_inception.deploy.quantise import quantize
from mmpretrain_inception.errors import InputError
from mmpretrain_inception.utils.processor import has_native_bf16

# Where the .xml keeps the sha256 of its .bin.
_BIN_KEY = f'{KEY}_bin_sha256'
# Weights that are stored as fp16, which halves the file. fp16's digits are more than bf16's.
_HALVED = ('bf16', 'fp16')
# What the device has to be able to, to compute in something narrower than fp32. What int8 leaves in floating point
# goes faster in bf16.
_NARROW = {'bf16': ('BF16', 'bf16'), 'fp16': ('FP16', 'f16'), 'int8': ('BF16', 'bf16')}


def write(model: nn.Module, path: Path, contract: Contract, calibration: Sequence[np.ndarray] | None) -> None:
    """Write a model as ``path`` and its weights next to it.

    Args:
        model: The classifier in deploy form.
        path: The file, ``.xml``.
        contract: What goes into its ``rt_info``.
        calibration: Batches for int8.
    """
    openvino = import_extra('openvino')
    program = trace(ExportedNetwork(model, contract))
    with quiet():
        converted = openvino.convert_model(program)
    # The conversion forgets the fixed height and width.
    converted.reshape([-1, *contract.image_shape])
    converted.inputs[0].set_names({INPUT_NAME})
    converted.outputs[0].set_names({OUTPUT_NAME})
    if contract.precision == 'int8':
        operations = converted.get_ordered_ops()
        layers = [(operation.get_type_name(), operation.get_friendly_name()) for operation in operations]
        converted = quantize(converted, calibration, layers)
    converted.set_rt_info(contract.to_json(), [KEY])
    halved = contract.precision in _HALVED
    openvino.save_model(converted, path, compress_to_fp16=halved)
    # The two files belong together: an export that is killed between their renames must not load.
    converted.set_rt_info(hashlib.sha256(path.with_suffix('.bin').read_bytes()).hexdigest(), [_BIN_KEY])
    openvino.save_model(converted, path, compress_to_fp16=halved)


def read_contract(path: Path) -> Contract:
    """Read the contract from a file's ``rt_info``.

    Raises:
        InputError: If the file is no such file or holds no contract.
    """
    return _contract(_read(import_extra('openvino').Core(), path), path)


def _contract(model: Any, path: Path) -> Contract:
    text = model.get_rt_info([KEY]).value if model.has_rt_info([KEY]) else None
    return Contract.from_json(text, str(path))


def load(path: Path, contract: Contract, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Compile a file for the CPU; no code from it runs.

    Args:
        path: The file.
        contract: That of the file. bf16, fp16 and int8 compute in fp32 what the processor has no narrower arithmetic
            for. fp32 is asked for too, since OpenVINO takes bf16 on its own where there is any.
        threads: Threads to compute with.

    Raises:
        InputError: If OpenVINO cannot read it, or it was replaced since the contract was read.
    """
    core = import_extra('openvino').Core()
    capability, narrow = _NARROW.get(contract.precision, ('FP32', 'f32'))
    hint = narrow if capability in core.get_property('CPU', 'OPTIMIZATION_CAPABILITIES') else 'f32'
    if hint == 'bf16' and not has_native_bf16():
        # OpenVINO lists it even if ONEDNN_MAX_CPU_ISA leaves no kernels for it, and then crashes or refuses the model.
        hint = 'f32'
    settings = dict(INFERENCE_NUM_THREADS=threads, PERFORMANCE_HINT='LATENCY', INFERENCE_PRECISION_HINT=hint)
    model = _read(core, path)
    if _contract(model, path) != contract:
        raise InputError(f'{path} was replaced while it was read; try again')
    request = core.compile_model(model, 'CPU', settings).create_infer_request()
    # Inputs are shared, outputs copied: the next batch overwrites them.
    return lambda images: request.infer({0: images}, share_inputs=True)[0]


def _read(core: Any, path: Path) -> Any:
    for part in (path, path.with_suffix('.bin')):
        if not part.is_file():
            raise InputError(f'{part}: expected the .xml and the .bin of an OpenVINO model, but it does not exist')
    # Read once, so that what is loaded is what was checked.
    weights = path.with_suffix('.bin').read_bytes()
    try:
        model = core.read_model(path.read_bytes(), weights)
    except RuntimeError as error:
        raise InputError(f'{path}: expected an undamaged OpenVINO file') from error
    digest = model.get_rt_info([_BIN_KEY]).value if model.has_rt_info([_BIN_KEY]) else None
    if model.has_rt_info([KEY]) and digest != hashlib.sha256(weights).hexdigest():
        raise InputError(f'{path}: {path.stem}.bin belongs to another export, or is damaged; export the model again')
    return model
