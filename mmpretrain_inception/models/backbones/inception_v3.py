"""The Inception V3 backbone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.fx import Proxy, symbolic_trace
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from mmpretrain_inception.errors import InputError
from mmpretrain_inception.models.backbones.blocks import (
    BATCH_NORM,
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
)
from mmpretrain_inception.models.backbones.stem import Stage, Stem
from mmpretrain_inception.registry import MODELS
from mmpretrain_inception.weights.families import INCEPTION_V3, Family, Place
from mmpretrain_inception.weights.rename import rename_in_place

# Where a state dict has the backbone: in mmpretrain's classifier, or alone.
_IN_CLASSIFIER = Place('backbone.', 'head.')
_ALONE = Place('', None)

# Layers whose maps `with_cp` does not keep: the network's largest ones. Keeping the map of every layer of the stem, or
# of its pools only, took a fifth more memory.
_NOT_KEPT = {'Conv2d_1a_7x7', 'Conv2d_1a_3x3', 'Conv2d_2b_3x3', 'Conv2d_3b_1x1', 'Conv2d_4a_3x3'}


@MODELS.register_module()
class InceptionV3(BaseModule):
    """Inception V3 without classifiers: feature maps for a neck, a detector or a feature pyramid.

    This is the network of TensorFlow's ``research/slim/nets/inception_v3.py`` and torchvision's
    ``models/inception.py``. Its stem differs from table 1 of the paper (arXiv:1512.00567). Its parameters have the
    names of torchvision's.

    Args:
        out_indices: Positions in :attr:`stages` of the maps to return; negative ones count from the end. Layers behind
            the last of them are not built. Defaults to the last map only; the auxiliary classifier needs ``(3, 4)``.
        frozen_stages: Last stage whose parameters and batch-norm statistics are frozen, counted as in ``out_indices``.
            Defaults to -1: none is frozen.
        norm_eval: Whether batch norm uses its running statistics in training and leaves them unchanged. Defaults to
            False.
        with_cp: Whether to save memory in training by recomputing activations in the backward pass. Results are the
            same, running statistics included. Defaults to False.
        norm_cfg: mmcv's config of the normalisation, e.g. ``dict(type='SyncBN')`` on GPUs; epsilon is 1e-3 unless set.
            Defaults to batch norm.
        count_include_pad: Whether the 3x3 average pools count the padded zeros. True is PyTorch's rule, used by
            torchvision, timm and mmpretrain; False is TensorFlow's. Defaults to True.
        last_pool: ``'avg'`` or ``'max'``: the 3x3 pool of ``Mixed_7c``. Only FID's network of 2015 takes the maximum
            (pytorch-fid ``inception.py``, ``FIDInceptionE_2``, which calls it a likely error of the original).
            Defaults to ``'avg'``.
        stem: ``'3x3'`` starts with three 3x3 convolutions, ``'7x7'`` with one 7x7 convolution of 64 channels, as the
            paper's Inception-v2. Defaults to ``'3x3'``.
        stem_stride: Stride of the first layer. 1 suits images of half the size (table 2). Defaults to 2.
        stem_pool: Whether to keep the first pool. Without it and with a stride of 1, the network suits images of a
            quarter of the size (table 2). Defaults to True.
        stem_pool2_padding: Padding of the second pool in pixels, which makes its map larger by one or two. Defaults
            to 0.
        in_channels: Channels of the images. Weights of 3-channel images start training on other ones as in timm: their
            first kernel is summed for one channel, otherwise repeated and scaled by ``3 / in_channels``. Defaults to 3.
        deploy: Whether to build the form that :meth:`switch_to_deploy` returns, for checkpoints that mmpretrain's
            ``reparameterize_model.py`` wrote. Defaults to False.
        init_cfg: ``dict(type='Pretrained', checkpoint=FILE)`` starts from a file of any publisher. Defaults to None:
            kernels are drawn from a normal distribution of deviation 0.1 truncated at 0.2, as in the paper's code.

    Raises:
        InputError: If an index is outside :attr:`stages`, or an option is not among its choices.
    """

    family: ClassVar[Family] = INCEPTION_V3
    # Of the default stem; an instance has those of its own stem.
    stages: tuple[Stage, ...] = Stem().stages
    min_size: int = Stem().min_size

    def __init__(
        self,
        out_indices: int | Sequence[int] = (4,),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        norm_cfg: dict[str, Any] = BATCH_NORM,
        count_include_pad: bool = True,
        last_pool: Literal['avg', 'max'] = 'avg',
        stem: Literal['3x3', '7x7'] = '3x3',
        stem_stride: Literal[1, 2] = 2,
        stem_pool: bool = True,
        stem_pool2_padding: Literal[0, 1] = 0,
        in_channels: int = 3,
        deploy: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        first = Stem(stem, stem_stride, stem_pool, stem_pool2_padding, in_channels)
        first.check()
        self.stages, self.min_size, self.in_channels = first.stages, first.min_size, in_channels
        indices = list(out_indices) if isinstance(out_indices, Sequence) else [out_indices]
        self.out_indices = self._checked_indices(indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        if not isinstance(frozen_stages, int) or not -1 <= frozen_stages < len(self.stages):
            raise InputError(f'frozen_stages: expected -1 (none) to {len(self.stages) - 1}, got {frozen_stages!r}')
        if last_pool not in ('avg', 'max'):
            raise InputError(f"last_pool: expected 'avg' or 'max', got {last_pool!r}")

        block_a = partial(InceptionA, norm_cfg=norm_cfg, count_include_pad=count_include_pad)
        block_c = partial(InceptionC, norm_cfg=norm_cfg, count_include_pad=count_include_pad)
        block_e = partial(InceptionE, norm_cfg=norm_cfg, count_include_pad=count_include_pad)
        # Constructed in call order; on the right the output for 3 x 299 x 299.
        for name, layer in first.layers(norm_cfg):  # 192 x 35 x 35
            self.add_module(name, layer)
        self._first_layer, _ = next(self.named_children())
        self.Mixed_5b = block_a(192, pool_features=32)  # 256 x 35 x 35
        self.Mixed_5c = block_a(256, pool_features=64)  # 288 x 35 x 35
        self.Mixed_5d = block_a(288, pool_features=64)  # 288 x 35 x 35
        self.Mixed_6a = InceptionB(288, norm_cfg=norm_cfg)  # 768 x 17 x 17
        self.Mixed_6b = block_c(768, channels_7x7=128)  # 768 x 17 x 17
        self.Mixed_6c = block_c(768, channels_7x7=160)  # 768 x 17 x 17
        self.Mixed_6d = block_c(768, channels_7x7=160)  # 768 x 17 x 17
        self.Mixed_6e = block_c(768, channels_7x7=192)  # 768 x 17 x 17
        self.Mixed_7a = InceptionD(768, norm_cfg=norm_cfg)  # 1280 x 8 x 8
        self.Mixed_7b = block_e(1280)  # 2048 x 8 x 8
        self.Mixed_7c = block_e(2048, max_pool=last_pool == 'max')  # 2048 x 8 x 8

        # Layers behind the last output would get no gradient, which DDP refuses.
        for name in self._layers_behind(self.stages[self.out_indices[-1]].name):
            delattr(self, name)
        self.deploy = False
        if deploy:
            self.switch_to_deploy()
        self._freeze_stages()
        self._register_load_state_dict_pre_hook(self._rename_bare)

    @staticmethod
    def classifier_for(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the config of the classifier that has these weights.

        Args:
            tensors: The weights, under our names. They show the stem, the channels of the images, and the classifiers.
        """
        kernel = next((tensors[name] for name in INCEPTION_V3.input_kernels if name in tensors), None)
        biases = [tensors[f'{layer}bias'] for layer in INCEPTION_V3.final_layers if f'{layer}bias' in tensors]
        num_classes = next((len(bias) for bias in biases if bias.ndim == 1), 1000)
        auxiliary = f'{INCEPTION_V3.auxiliary}conv1.conv.'
        backbone = dict(
            type='mmpretrain_inception.InceptionV3',
            stem='7x7' if 'backbone.Conv2d_1a_7x7.conv.weight' in tensors else '3x3',
            in_channels=3 if kernel is None or kernel.ndim != 4 else kernel.shape[1],
        )
        head = dict(
            type='mmpretrain_inception.InceptionHead',
            num_classes=num_classes,
            with_aux=f'{auxiliary}weight' in tensors,
            aux_fc_norm=f'{auxiliary}bias' not in tensors,
        )
        return dict(type='mmpretrain.ImageClassifier', backbone=backbone, head=head)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of :attr:`out_indices`, shallow ones first.

        Args:
            x: Normalised images of shape (N, in_channels, H, W), with H and W at least :attr:`min_size`, which is 75
                for the default stem.

        Returns:
            A map of shape (N, channels, H', W') for each of ``out_indices``.

        Raises:
            InputError: If the images have another shape, or a side of fewer than :attr:`min_size` pixels.
        """
        # Tracers see no sizes, and record no second pass.
        traced = isinstance(x, Proxy) or torch.jit.is_tracing()
        if not traced:
            self._check_images(x.shape)
        wanted = {self.stages[index].name for index in self.out_indices}
        outputs = []
        checkpointed = self.with_cp and self.training and not traced
        for name, layer in self._segments(wanted) if checkpointed else self.named_children():
            x = self._checkpointed(layer, x) if checkpointed else layer(x)
            if name in wanted:
                outputs.append(x)
        return tuple(outputs)

    def __prepare_scriptable__(self) -> nn.Module:
        """Return what ``torch.jit.script`` compiles: the same layers in a straight line, without the check of sizes.

        TorchScript knows no tuples of a length that depends on an option.
        """
        network = symbolic_trace(self)
        for node in network.graph.nodes:
            # Annotations of this file are strings, of which torch.fx makes names that TorchScript does not know.
            node.type = None
        network.recompile()
        return network

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Return the depth of a parameter for mmpretrain's ``LearningRateDecayOptimWrapperConstructor``.

        As in timm, the layers up to the first pool are one, those up to the second pool are the next, and each block is
        one. The head is the last.

        Args:
            param_name: Name of the parameter in the model.
            prefix: Of the backbone in the model, e.g. ``'backbone.'``. Defaults to ''.

        Returns:
            Depth from 0, and the number of depths, the head's included.
        """
        # Ordered, each once.
        groups = list(dict.fromkeys(_depth_group(name) for name, layer in self.named_children() if _is_trained(layer)))
        name, _, _ = param_name.removeprefix(prefix).partition('.')
        is_ours = param_name.startswith(prefix) and hasattr(self, name)
        return groups.index(_depth_group(name)) if is_ours else len(groups), len(groups) + 1

    def train(self, mode: bool = True) -> InceptionV3:
        """Set the mode; what ``frozen_stages`` and ``norm_eval`` name stays in evaluation mode.

        Args:
            mode: Whether to train. Defaults to True.
        """
        super().train(mode)
        self._freeze_stages()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def switch_to_deploy(self) -> None:
        """Fold every batch norm into its convolution, in place, for inference; a second call does nothing.

        Normalisations that cannot be folded, such as group norm, stay.
        """
        for module in self.modules():
            if isinstance(module, BasicConv2d):
                module.switch_to_deploy()
        self.deploy = True

    def _checkpoint_filter(self, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        """Rename any publisher's parameters to ours; mmpretrain's ``ImageClassifier`` calls it when it loads."""
        rename_in_place(state_dict, prefix, [f'backbone.{name}' for name in self.state_dict()], _IN_CLASSIFIER)

    def _rename_bare(self, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        """Rename them for a backbone that is loaded on its own."""
        if prefix == '':
            rename_in_place(state_dict, prefix, self.state_dict(), _ALONE)

    def _check_images(self, shape: torch.Size) -> None:
        # Of the layer, which may have been exchanged.
        channels = getattr(self, self._first_layer).conv.in_channels
        if len(shape) != 4 or shape[1] != channels:
            raise InputError(f'Inception V3: expected images of shape (N, {channels}, H, W), got {tuple(shape)}')
        height, width = shape[-2:]
        if min(height, width) < self.min_size:
            raise InputError(
                f'Inception V3: expected images of at least {self.min_size} x {self.min_size} pixels, '
                f'got {height} x {width}; resize them in the pipeline'
            )

    def _checked_indices(self, indices: list[int]) -> tuple[int, ...]:
        count = len(self.stages)
        for index in indices:
            if not isinstance(index, int) or not -count <= index < count:
                names = ', '.join(f'{i} {stage.name}' for i, stage in enumerate(self.stages))
                raise InputError(f'out_indices: expected positions in [{names}], got {index!r}')
        if not indices:
            raise InputError('out_indices: expected at least one stage, got none')
        return tuple(sorted({index % count for index in indices}))

    def _layers_behind(self, last: str) -> list[str]:
        names = [name for name, _ in self.named_children()]
        return names[names.index(last) + 1 :]

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        last = self.stages[self.frozen_stages].name
        for name, layer in self.named_children():
            layer.eval().requires_grad_(False)
            if name == last:
                break

    def _segments(self, wanted: set[str]) -> Iterator[tuple[str, nn.Module]]:
        """Yield groups of layers that are recomputed together, under the name of the last one."""
        layers: list[nn.Module] = []
        for name, layer in self.named_children():
            layers.append(layer)
            if name not in _NOT_KEPT or name in wanted:
                yield name, nn.Sequential(*layers)
                layers = []

    @staticmethod
    def _checkpointed(layer: nn.Module, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            # Recomputation in a compiled backward pass changes no statistics, and Dynamo supports no context_fn.
            return checkpoint(layer, x, use_reentrant=False)
        return checkpoint(layer, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_kept(layer)))


def _is_trained(layer: nn.Module) -> bool:
    return next(layer.parameters(), None) is not None


def _depth_group(layer: str) -> str:
    """Return the group of a layer in :meth:`InceptionV3.get_layer_depth`."""
    # 'Conv2d_1a_3x3' to 'Conv2d_2b_3x3' lie before the first pool, or where it would be.
    first, second = layer.startswith(('Conv2d_1', 'Conv2d_2')), layer.startswith(('Conv2d_3', 'Conv2d_4'))
    return 'before pool 1' if first else 'before pool 2' if second else layer


@contextmanager
def _statistics_kept(layer: nn.Module) -> Iterator[None]:
    """Discard the changes that a second pass over the same batch makes to the running statistics."""
    norms = [module for module in layer.modules() if isinstance(module, _BatchNorm)]
    kept = [(norm, dict(norm.named_buffers(recurse=False))) for norm in norms]
    for norm, buffers in kept:
        for name, buffer in buffers.items():
            setattr(norm, name, buffer.clone())
    try:
        yield
    finally:
        for norm, buffers in kept:
            for name, buffer in buffers.items():
                setattr(norm, name, buffer)
