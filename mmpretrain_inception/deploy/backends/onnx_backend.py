"""Write ONNX files and run them with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from mmpretrain_inception.deploy.contract import INPUT_NAME, KEY, OUTPUT_NAME, Contract
from mmpretrain_inception.deploy.extras import import_extra, quiet
from mmpretrain_inception.deploy.network import ExportedNetwork, trace
from mmpretrain_inception.deploy.quantise import quantize
from mmpretrain_inception.errors import InputError


def write(model: nn.Module, path: Path, contract: Contract, calibration: Sequence[np.ndarray] | None) -> None:
    """Write a model and its weights to one file.

    Args:
        model: The classifier in deploy form.
        path: The file.
        contract: Stored in the metadata. With precision fp16, the file stores fp16 and computes in fp16 if the device
            can; on CPUs ONNX Runtime computes in fp32.
        calibration: Batches for int8.
    """
    onnx = import_extra('onnx')
    proto = _converted(model, contract)
    if contract.precision == 'fp16':
        proto = _in_fp16(proto)
    if contract.precision == 'int8':
        proto = quantize(proto, calibration, [(node.op_type, node.name) for node in proto.graph.node])
    _forget_origin(proto)
    onnx.helper.set_model_props(proto, {KEY: contract.to_json()})
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))


def read_contract(path: Path) -> Contract:
    """Read the contract from a file's metadata.

    Raises:
        InputError: If the file is not an ONNX file or has no contract.
    """
    return _contract(_read(path), path)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror or error}') from error


def _contract(content: bytes, path: Path) -> Contract:
    """Return the contract of a file that holds all of its weights.

    Raises:
        InputError: If it has no contract, is damaged, or refers to other files.
    """
    onnx = import_extra('onnx')
    try:
        proto = onnx.load_model_from_string(content)
    # protobuf's own error, which is not a ValueError in every version.
    except Exception as error:
        raise InputError(f'{path}: expected an undamaged ONNX file') from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _tensors(proto.graph)):
        raise InputError(f'{path}: expected a file with all of its weights, but some are in other files')
    properties = {entry.key: entry.value for entry in proto.metadata_props}
    return Contract.from_json(properties.get(KEY), str(path))


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for attribute in (attribute for node in graph.node for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for inner in (attribute.g, *attribute.graphs):
            yield from _tensors(inner)


def load(path: Path, contract: Contract, threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Load a file into ONNX Runtime, which runs no code from it.

    Args:
        path: The file.
        contract: That of the file.
        threads: Threads to compute with.

    Raises:
        InputError: If ONNX Runtime cannot load it, or it was replaced since the contract was read.
    """
    content = _read(path)
    if _contract(content, path) != contract:
        raise InputError(f'{path} was replaced while it was read; try again')
    runtime = import_extra('onnxruntime')
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(content, options, providers=['CPUExecutionProvider'])
    except Exception as error:
        raise InputError(f'{path}: ONNX Runtime cannot load it: {str(error).strip().splitlines()[0]}') from error
    return lambda images: session.run([OUTPUT_NAME], {INPUT_NAME: images})[0]


def _converted(model: nn.Module, contract: Contract) -> Any:
    """Return the model as an optimised ONNX model, with constants folded."""
    import_extra('onnxscript')
    program = trace(ExportedNetwork(model, contract))
    with quiet():
        converted = torch.onnx.export(
            program, dynamo=True, input_names=[INPUT_NAME], output_names=[OUTPUT_NAME], verbose=False
        )
    assert converted is not None
    return converted.model_proto


def _in_fp16(proto: Any) -> Any:
    """Return a model that computes in fp16 between a float32 input and a float32 output."""
    float16 = import_extra('onnxruntime.transformers.float16')
    model = import_extra('onnxruntime.transformers.onnx_model')
    with quiet():
        halved = model.OnnxModel(float16.convert_float_to_float16(proto, keep_io_types=True))
        # The converter puts the cast of the input after the nodes that need it.
        halved.topological_sort()
    return halved.model


def _forget_origin(proto: Any) -> None:
    """Remove PyTorch's notes on the source of each node and value."""
    del proto.metadata_props[:]
    graph = proto.graph
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del part.metadata_props[:]
