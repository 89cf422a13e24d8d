"""The rows of the table: which networks and runtimes are compared, and how each is run.

A row names the function that builds its step and the function's arguments as plain values, so that another process can
be told to build it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from mmengine.model import BaseModel
from torch import nn

from benchmarks.speed import networks
from benchmarks.speed.networks import Form
from benchmarks.speed.subject import Subject
from mmpretrain_inception.deploy.contract import Contract
from mmpretrain_inception.deploy.export import export_model
from mmpretrain_inception.deploy.runtimes import load_runtime
from mmpretrain_inception.deploy.table import Precision

_PUBLISHERS: dict[str, Callable[[int], nn.Module]] = {
    'mmpretrain': networks.build_mmpretrain,
    'torchvision': networks.build_torchvision,
    'timm': networks.build_timm,
    'timm with auxiliary classifier': networks.build_timm_with_aux,
}
_ENDINGS = {'onnx': '.onnx', 'openvino': '.xml'}
# Ranges of activations that are roughly right: only the speed of int8 matters here.
_CALIBRATION = 8


def build_network(publisher: str, subject: Subject) -> nn.Module:
    """Build a publisher's network anew.

    Args:
        publisher: 'ours', or a key of ``_PUBLISHERS``.
        subject: What to measure on.
    """
    if publisher == 'ours':
        network = networks.load_ours(subject.cfg, subject.checkpoint)
    else:
        network = _PUBLISHERS[publisher](subject.num_classes)
    return network.to(subject.device)


def infer(subject: Subject, batch_size: int, publisher: str, **form: bool) -> Callable[[], object]:
    """Return a step that computes logits with PyTorch; ``form`` holds the fields of :class:`Form`."""
    return networks.inference_step(build_network(publisher, subject), subject.images(batch_size), Form(**form))


def train(subject: Subject, batch_size: int, publisher: str, **form: bool) -> Callable[[], object]:
    """Return a training step; ``form`` holds the fields of :class:`Form`."""
    network = build_network(publisher, subject)
    step = networks.classifier_training_step if isinstance(network, BaseModel) else networks.network_training_step
    return step(network, subject.images(batch_size), subject.labels(batch_size), Form(**form))


def run_file(
    subject: Subject, batch_size: int, publisher: str, to: str, precision: Precision = 'fp32'
) -> Callable[[], object]:
    """Return a step that computes logits with a runtime. The network is exported once, calibrated with noise."""
    path = subject.folder / f'{publisher}-{precision}{_ENDINGS[to]}'
    if not path.exists():
        height, width = subject.size
        contract = Contract(num_classes=subject.num_classes, height=height, width=width)
        noise = [subject.images(1).cpu().numpy() for _ in range(_CALIBRATION)]
        network = build_network(publisher, subject).cpu()
        export_model(network, path, to=to, contract=contract, precision=precision, calibration=noise)
    runtime, images = load_runtime(path), subject.images(batch_size).cpu().numpy()
    return lambda: runtime(images)


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        name: Whose network, in what form.
        precision: 'fp32', 'bf16' or 'int8'.
        build: The function that returns the step, as ``module:function``. It is called with the subject, the batch
            size, and the arguments.
        arguments: Keyword arguments of the function; plain values.
        environment: Environment variables of its process. Defaults to none.
    """

    name: str
    precision: str
    build: str
    arguments: Mapping[str, Any] = MappingProxyType({})
    environment: Mapping[str, str] = MappingProxyType({})


_INFER, _TRAIN, _FILE = (f'{__name__}:{function.__name__}' for function in (infer, train, run_file))
# Our tools set it (tools/huge_pages.py), those of other publishers do not.
_TOOLS = dict(THP_MEM_ALLOC_ENABLE='1')

_TORCHVISION = dict(publisher='torchvision')
_TIMM = dict(publisher='timm')
_TIMM_AUX = dict(publisher='timm with auxiliary classifier')
_OURS = dict(publisher='ours', channels_last=True)
_BF16 = dict(channels_last=True, bf16=True)
_DEPLOY_BF16 = dict(_OURS, bf16=True, deploy=True)


def _file_rows(name: str, to: str, precision: Precision) -> list[Row]:
    return [
        Row(f'{name}, {publisher}', precision, _FILE, dict(publisher=publisher, to=to, precision=precision))
        for publisher in ('torchvision', 'ours')
    ]


ROWS: dict[str, list[Row]] = {
    'inference': [
        Row('mmpretrain, as shipped', 'fp32', _INFER, dict(publisher='mmpretrain')),
        Row('torchvision, as shipped', 'fp32', _INFER, _TORCHVISION),
        Row('timm, as shipped', 'fp32', _INFER, _TIMM),
        Row('torchvision, channels_last, bf16', 'bf16', _INFER, {**_TORCHVISION, **_BF16}),
        Row('timm, channels_last, bf16', 'bf16', _INFER, {**_TIMM, **_BF16}),
        Row('ours', 'fp32', _INFER, _OURS, _TOOLS),
        Row('ours, --deploy', 'fp32', _INFER, dict(_OURS, deploy=True), _TOOLS),
        Row('ours, --amp', 'bf16', _INFER, dict(_OURS, bf16=True), _TOOLS),
        Row('ours, --deploy --amp', 'bf16', _INFER, _DEPLOY_BF16, _TOOLS),
        Row('ours, compiled, --deploy --amp', 'bf16', _INFER, dict(_DEPLOY_BF16, compiled=True), _TOOLS),
        *_file_rows('ONNX Runtime', 'onnx', 'fp32'),
        *_file_rows('OpenVINO', 'openvino', 'fp32'),
        *_file_rows('OpenVINO bf16', 'openvino', 'bf16'),
        *_file_rows('OpenVINO int8', 'openvino', 'int8'),
    ],
    'training': [
        Row('mmpretrain, as shipped (no auxiliary loss)', 'fp32', _TRAIN, dict(publisher='mmpretrain')),
        Row('torchvision, as shipped', 'fp32', _TRAIN, _TORCHVISION),
        Row('timm, as shipped', 'fp32', _TRAIN, _TIMM_AUX),
        Row('torchvision, channels_last, bf16', 'bf16', _TRAIN, {**_TORCHVISION, **_BF16}),
        Row('timm, channels_last, bf16', 'bf16', _TRAIN, {**_TIMM_AUX, **_BF16}),
        Row('ours', 'fp32', _TRAIN, _OURS, _TOOLS),
        Row('ours, --amp', 'bf16', _TRAIN, dict(_OURS, bf16=True), _TOOLS),
    ],
}
