"""The rows of the table: which networks and runtimes are compared, and how each is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmpretrain_inception.benchmark import networks
from mmpretrain_inception.benchmark.networks import Form
from mmpretrain_inception.deploy.contract import Contract, Precision
from mmpretrain_inception.deploy.export import export_model
from mmpretrain_inception.deploy.runtimes import load_runtime


class Subject(NamedTuple):
    """What is measured on.

    Attributes:
        cfg: The config of our model.
        checkpoint: Its weights. None: as initialised.
        size: Height and width of the images, in pixels.
        device: Where to run; runtimes other than PyTorch run on the CPU.
        threads: PyTorch's threads. None: as many as it takes by itself.
        folder: An empty folder for exported files.
    """

    cfg: Config
    checkpoint: str | None
    size: tuple[int, int]
    device: torch.device
    threads: int | None
    folder: Path

    @property
    def num_classes(self) -> int:
        """Number of classes of our model, which the others are built with."""
        return int(self.cfg.model.head.num_classes)

    def network(self, publisher: str) -> nn.Module:
        """Build a publisher's network anew."""
        if publisher == 'ours':
            network = networks.load_ours(self.cfg, self.checkpoint)
        else:
            network = _PUBLISHERS[publisher](self.num_classes)
        return network.to(self.device)

    def images(self, batch_size: int) -> Tensor:
        """Return noise as a normalised batch."""
        return torch.randn(batch_size, 3, *self.size, device=self.device)

    def labels(self, batch_size: int) -> Tensor:
        """Return the label of each image of a batch."""
        return torch.arange(batch_size, device=self.device) % self.num_classes


_PUBLISHERS: dict[str, Callable[[int], nn.Module]] = {
    'mmpretrain': networks.build_mmpretrain,
    'torchvision': networks.build_torchvision,
    'timm': networks.build_timm,
    'timm with auxiliary classifier': networks.build_timm_with_aux,
}


class Row(NamedTuple):
    """A row of the table.

    Attributes:
        name: Whose network, in what form.
        precision: 'fp32', 'bf16' or 'int8'.
        build: From the subject and a batch size, a function that does one step.
        environment: Variables that its process has. Defaults to none.
    """

    name: str
    precision: str
    build: Callable[[Subject, int], Callable[[], object]]
    environment: Mapping[str, str] = MappingProxyType({})


def _infer(publisher: str, form: Form, subject: Subject, batch_size: int) -> Callable[[], object]:
    return networks.inference_step(subject.network(publisher), subject.images(batch_size), form)


def _train(publisher: str, form: Form, subject: Subject, batch_size: int) -> Callable[[], object]:
    network = subject.network(publisher)
    step = networks.classifier_training_step if isinstance(network, BaseModel) else networks.network_training_step
    return step(network, subject.images(batch_size), subject.labels(batch_size), form)


def _run_file(
    publisher: str, to: str, subject: Subject, batch_size: int, precision: Precision = 'fp32'
) -> Callable[[], object]:
    """Export a network once, and run it by its runtime; noise suffices where only time counts."""
    path = subject.folder / f'{publisher}-{precision}{_ENDINGS[to]}'
    if not path.exists():
        height, width = subject.size
        contract = Contract(num_classes=subject.num_classes, height=height, width=width)
        noise = [subject.images(1).cpu().numpy() for _ in range(_CALIBRATION)]
        network = subject.network(publisher).cpu()
        export_model(network, path, to=to, contract=contract, precision=precision, calibration=noise)
    runtime, images = load_runtime(path), subject.images(batch_size).cpu().numpy()
    return lambda: runtime(images)


_ENDINGS = {'onnx': '.onnx', 'openvino': '.xml'}
# Ranges of activations that are roughly right: only the speed of int8 is looked at here.
_CALIBRATION = 8

# Our tools set it (tools/huge_pages.py), those of other publishers do not.
_TOOLS = dict(THP_MEM_ALLOC_ENABLE='1')

_SHIPPED = Form()
_OURS = Form(channels_last=True)
_OURS_BF16 = _OURS._replace(bf16=True)
_DEPLOY = _OURS._replace(deploy=True)
_DEPLOY_BF16 = _OURS_BF16._replace(deploy=True)
_COMPILED = _DEPLOY_BF16._replace(compiled=True)

ROWS: dict[str, list[Row]] = {
    'inference': [
        Row('mmpretrain, as shipped', 'fp32', partial(_infer, 'mmpretrain', _SHIPPED)),
        Row('torchvision, as shipped', 'fp32', partial(_infer, 'torchvision', _SHIPPED)),
        Row('timm, as shipped', 'fp32', partial(_infer, 'timm', _SHIPPED)),
        Row('torchvision, channels_last, bf16', 'bf16', partial(_infer, 'torchvision', _OURS_BF16)),
        Row('timm, channels_last, bf16', 'bf16', partial(_infer, 'timm', _OURS_BF16)),
        Row('ours', 'fp32', partial(_infer, 'ours', _OURS), _TOOLS),
        Row('ours, --deploy', 'fp32', partial(_infer, 'ours', _DEPLOY), _TOOLS),
        Row('ours, --amp', 'bf16', partial(_infer, 'ours', _OURS_BF16), _TOOLS),
        Row('ours, --deploy --amp', 'bf16', partial(_infer, 'ours', _DEPLOY_BF16), _TOOLS),
        Row('ours, compiled, --deploy --amp', 'bf16', partial(_infer, 'ours', _COMPILED), _TOOLS),
        Row('ONNX Runtime, torchvision', 'fp32', partial(_run_file, 'torchvision', 'onnx')),
        Row('ONNX Runtime, ours', 'fp32', partial(_run_file, 'ours', 'onnx')),
        Row('OpenVINO, torchvision', 'fp32', partial(_run_file, 'torchvision', 'openvino')),
        Row('OpenVINO, ours', 'fp32', partial(_run_file, 'ours', 'openvino')),
        Row('OpenVINO bf16, torchvision', 'bf16', partial(_run_file, 'torchvision', 'openvino', precision='bf16')),
        Row('OpenVINO bf16, ours', 'bf16', partial(_run_file, 'ours', 'openvino', precision='bf16')),
        Row('OpenVINO int8, torchvision', 'int8', partial(_run_file, 'torchvision', 'openvino', precision='int8')),
        Row('OpenVINO int8, ours', 'int8', partial(_run_file, 'ours', 'openvino', precision='int8')),
    ],
    'training': [
        Row('mmpretrain, as shipped (no auxiliary loss)', 'fp32', partial(_train, 'mmpretrain', _SHIPPED)),
        Row('torchvision, as shipped', 'fp32', partial(_train, 'torchvision', _SHIPPED)),
        Row('timm, as shipped', 'fp32', partial(_train, 'timm with auxiliary classifier', _SHIPPED)),
        Row('torchvision, channels_last, bf16', 'bf16', partial(_train, 'torchvision', _OURS_BF16)),
        Row(
            'timm, channels_last, bf16',
            'bf16',
            partial(_train, 'timm with auxiliary classifier', _OURS_BF16),
        ),
        Row('ours', 'fp32', partial(_train, 'ours', _OURS), _TOOLS),
        Row('ours, --amp', 'bf16', partial(_train, 'ours', _OURS_BF16), _TOOLS),
    ],
}
