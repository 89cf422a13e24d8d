"""The network that is exported: from images to logits."""

from __future__ import annotations

from copy import deepcopy

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.export import ExportedProgram

from mmpretrain_inception.deploy.contract import INPUT_NAME, Contract
from mmpretrain_inception.deploy.extras import quiet
from mmpretrain_inception.deploy.simplify import simplify
from mmpretrain_inception.errors import InputError


class ExportedNetwork(nn.Module):
    """A classifier from the images of a contract to logits.

    Args:
        model: An mmpretrain classifier, or any module from (N, 3, H, W) to logits. It is not changed.
        contract: The input format; with preprocessing, the images are normalised here, in float32.
        dtype: Data type of the computation. Defaults to float32.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, contract: Contract, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.model = deepcopy(model).eval().requires_grad_(False).to('cpu', dtype)
        self.contract = contract
        self.dtype = dtype
        self.register_buffer('mean', torch.tensor(contract.mean).view(-1, 1, 1))
        self.register_buffer('std', torch.tensor(contract.std).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map images as :class:`~mmpretrain_inception.deploy.contract.Contract` describes them to float32 logits."""
        if self.contract.with_preprocess:
            images = images.permute(0, 3, 1, 2).float()
            if self.contract.channel_order == 'BGR':
                images = images.flip(1)
            images = (images - self.mean) / self.std
        if self.dtype is torch.float32:
            return self._logits(images)
        return self._logits(images.to(self.dtype)).float()

    def _logits(self, images: Tensor) -> Tensor:
        if not isinstance(self.model, BaseModel):
            return self.model(images)
        logits = self.model(images, mode='tensor')
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            raise InputError(f'export: expected logits of shape (N, classes), got {_described(logits)}')
        return logits


def trace(network: ExportedNetwork) -> ExportedProgram:
    """Trace a network for any batch size and the contract's image size.

    Args:
        network: The network.

    Returns:
        The simplified program, without the names of source files that PyTorch stores for every layer.
    """
    # Two images, because PyTorch treats a batch size of one as a constant.
    example = torch.zeros(2, *network.contract.image_shape, dtype=getattr(torch, network.contract.dtype))
    batch = torch.export.Dim('batch', min=1)
    with quiet(), torch.no_grad():
        program = torch.export.export(network, (example,), dynamic_shapes={INPUT_NAME: {0: batch}})
    simplify(program)
    for node in program.graph.nodes:
        for key in ('stack_trace', 'nn_module_stack', 'source_fn_stack', 'torch_fn'):
            node.meta.pop(key, None)
    return program


def _described(output: object) -> str:
    return f'a tensor of shape {tuple(output.shape)}' if isinstance(output, Tensor) else type(output).__name__
