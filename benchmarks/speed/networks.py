"""The compared networks, each as its publisher provides it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import timm
import torch
import torchvision
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper
from mmpretrain.apis import get_model
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.nn import functional

from mmpretrain_inception.deploy import switch_to_deploy
from mmpretrain_inception.engine.amp.bf16_optim_wrapper import BF16OptimWrapper
from mmpretrain_inception.engine.hooks.compile_hook import set_freezing
from mmpretrain_inception.engine.hooks.deploy_hook import store_convolutions
from mmpretrain_inception.weights import load_into

# Weight of the auxiliary loss, for publishers whose model has an auxiliary classifier but no loss.
_AUX_WEIGHT = 0.4


def load_ours(cfg: Config, checkpoint: str | None) -> nn.Module:
    """Build the config's model, with the weights of a checkpoint or random ones."""
    model = get_model(cfg)
    if checkpoint is not None:
        load_into(model, checkpoint)
    return model


def build_mmpretrain(num_classes: int) -> nn.Module:
    """Build the classifier of mmpretrain's own ``configs/inception_v3/inception-v3_8xb32_in1k.py``."""
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='mmpretrain.InceptionV3', num_classes=num_classes, aux_logits=False),
        neck=None,
        head=dict(type='ClsHead', loss=dict(type='CrossEntropyLoss', loss_weight=1.0), topk=(1, 5)),
    )
    normalisation = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
    return get_model(Config(dict(model=model, data_preprocessor=dict(num_classes=num_classes, **normalisation))))


def build_torchvision(num_classes: int) -> nn.Module:
    """Build torchvision's network, without the slow initialisation that its constructor warns about."""
    return torchvision.models.inception_v3(weights=None, init_weights=False, num_classes=num_classes)


def build_timm(num_classes: int) -> nn.Module:
    """Build timm's default network, for inference."""
    return timm.create_model('inception_v3', num_classes=num_classes)


def build_timm_with_aux(num_classes: int) -> nn.Module:
    """Build timm's network with its auxiliary classifier, which would also run in inference."""
    return timm.create_model('inception_v3', num_classes=num_classes, aux_logits=True)


class Form(NamedTuple):
    """How a network is run.

    Attributes:
        channels_last: Whether weights and images are in channels_last format. Defaults to False.
        bf16: Whether to compute in bfloat16, as ``--amp`` does. Defaults to False: float32.
        deploy: Whether to fold batch norms, as ``tools/test.py --deploy`` does; for inference. Defaults to False.
        compiled: Whether to compile, with the weights as constants; for inference. Defaults to False.
    """

    channels_last: bool = False
    bf16: bool = False
    deploy: bool = False
    compiled: bool = False

    def autocast(self, device: torch.device) -> torch.autocast:
        """Return the context to compute in."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.bf16)


def inference_step(network: nn.Module, images: Tensor, form: Form) -> Callable[[], object]:
    """Return a function that computes the logits of a batch.

    Args:
        network: An mmpretrain classifier or a plain network; changed in place.
        images: Normalised, of shape (N, 3, H, W).
        form: How to run it.
    """
    network.eval()
    if form.deploy:
        switch_to_deploy(network)
    if form.deploy and form.bf16:
        with form.autocast(images.device):
            store_convolutions(network)
    images = _lay_out(network, images, form)
    if form.compiled:
        set_freezing(True)
        network.compile()

    def run() -> object:
        with torch.no_grad(), form.autocast(images.device):
            return network(images)

    return run


def classifier_training_step(model: BaseModel, images: Tensor, labels: Tensor, form: Form) -> Callable[[], object]:
    """Return a training step of an mmpretrain classifier: losses, gradients, SGD.

    This is mmengine's ``train_step`` without normalising the images, which other publishers do in the data loader.

    Args:
        model: The classifier; changed in place.
        images: Normalised, of shape (N, 3, H, W).
        labels: Of shape (N,).
        form: How to run it.
    """
    model.train()
    images = _lay_out(model, images, form)
    wrapper = (BF16OptimWrapper if form.bf16 else OptimWrapper)(optimizer=_sgd(model))
    samples = [DataSample().set_gt_label(int(label)).to(labels.device) for label in labels]

    def run() -> None:
        with wrapper.optim_context(model):
            losses = model(images, samples, mode='loss')
        wrapper.update_params(model.parse_losses(losses)[0])

    return run


def network_training_step(network: nn.Module, images: Tensor, labels: Tensor, form: Form) -> Callable[[], object]:
    """Return a training step of a plain network that returns logits and auxiliary logits: losses, gradients, SGD.

    Args:
        network: The network; changed in place.
        images: Normalised, of shape (N, 3, H, W).
        labels: Of shape (N,).
        form: How to run it.
    """
    network.train()
    images = _lay_out(network, images, form)
    optimizer = _sgd(network)

    def run() -> None:
        with form.autocast(images.device):
            logits, aux_logits = network(images)
            loss = functional.cross_entropy(logits, labels) + _AUX_WEIGHT * functional.cross_entropy(aux_logits, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def _lay_out(network: nn.Module, images: Tensor, form: Form) -> Tensor:
    if not form.channels_last:
        return images
    network.to(memory_format=torch.channels_last)
    return images.to(memory_format=torch.channels_last)


def _sgd(network: nn.Module) -> torch.optim.Optimizer:
    # A small learning rate, so that the loss stays finite although the labels are random.
    return torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4)
