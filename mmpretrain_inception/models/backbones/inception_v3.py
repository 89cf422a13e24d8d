"""The Inception V3 backbone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any, Literal

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
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
from mmpretrain_inception.weights.families import Place
from mmpretrain_inception.weights.rename import rename_in_place

# Where a state dict has the backbone: in mmpretrain's classifier, or alone.
_IN_CLASSIFIER = Place('backbone.', 'head.')
_ALONE = Place('', None)

# Layers whose maps `with_cp` does not keep. The stem holds the largest of the network: keeping those of every layer, or
# only those of the pools, took a fifth more memory.
_NOT_KEPT = {'Conv2d_1a_7x7', 'Conv2d_1a_3x3', 'Conv2d_2b_3x3', 'Conv2d_3b_1x1', 'Conv2d_4a_3x3'}


@MODELS.register_module()
class InceptionV3(BaseModule):
    """Inception V3 without classifiers: maps for a neck, a detector or a feature pyramid.

    The network is the one of TensorFlow's ``research/slim/nets/inception_v3.py`` and of torchvision's
    ``models/inception.py``, which differ from table 1 of the paper (arXiv:1512.00567) in the stem. Its parameters bear
    torchvision's names.

    Args:
        out_indices: Positions in :attr:`stages` of the maps to return; negative ones count from the end. What lies
            behind the last of them is not built. Defaults to the last one only; the auxiliary classifier needs
            ``(3, 4)``.
        frozen_stages: Last stage, counted as in ``out_indices``, whose parameters and batch-norm statistics stay as
            they are. Defaults to -1: none is frozen.
        norm_eval: Whether batch norm uses its running statistics in training and leaves them unchanged. Defaults to
            False.
        with_cp: Whether to save memory in training by computing activations a second time in the backward pass. The
            results, running statistics included, are the same. Defaults to False.
        norm_cfg: mmcv's config of the normalisation, e.g. ``dict(type='SyncBN')``; epsilon is 1e-3 unless it says
            otherwise. Defaults to batch norm.
        count_include_pad: Whether the 3x3 average pools count the padded zeros. True is PyTorch's rule, by which
            torchvision, timm and mmpretrain evaluate; False is TensorFlow's. Defaults to True.
        last_pool: ``'avg'`` or ``'max'``: the 3x3 pool of ``Mixed_7c``. The network of 2015 by which FID is computed
            takes the maximum there (pytorch-fid ``inception.py``, ``FIDInceptionE_2``, which calls that a likely error
            of the original); every other one the average. Defaults to ``'avg'``.
        stem: ``'3x3'`` begins with three 3x3 convolutions, ``'7x7'`` with one 7x7 convolution of 64 channels, as the
            paper's Inception-v2 does. Defaults to ``'3x3'``.
        stem_stride: Stride of the first layer. 1 is for images of half the size (table 2). Defaults to 2.
        stem_pool: Whether the first pool is there. Without it and with a stride of 1, the network is for images of a
            quarter of the size (table 2). Defaults to True.
        stem_pool2_padding: Pixels of padding on each side in the second pool, which make its map larger by one or two.
            Defaults to 0.
        deploy: Whether to begin in the form of :meth:`switch_to_deploy`, as checkpoints need that mmpretrain's
            ``reparameterize_model.py`` wrote. Defaults to False.
        init_cfg: ``dict(type='Pretrained', checkpoint=FILE)`` starts from a file of any publisher. Defaults to None:
            every convolution draws from a normal distribution of deviation 0.1 truncated at 0.2, as in the paper's
            code.

    Raises:
        ValueError: If an index is outside :attr:`stages`, or an option is none of its choices.
    """

    # The published network's; an instance has its own, which follow from its stem.
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
        deploy: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        first = Stem(stem, stem_stride, stem_pool, stem_pool2_padding)
        first.check()
        self.stages, self.min_size = first.stages, first.min_size
        indices = [out_indices] if isinstance(out_indices, int) else list(out_indices)
        self.out_indices = self._checked_indices(indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        if not -1 <= frozen_stages < len(self.stages):
            raise InputError(f'frozen_stages is -1 (none) to {len(self.stages) - 1}, but {frozen_stages} came')
        if last_pool not in ('avg', 'max'):
            raise InputError(f"last_pool is 'avg' or 'max', but {last_pool!r} came")

        block_a = partial(InceptionA, norm_cfg=norm_cfg, count_include_pad=count_include_pad)
        block_c = partial(InceptionC, norm_cfg=norm_cfg, count_include_pad=count_include_pad)
        block_e = partial(InceptionE, norm_cfg=norm_cfg, count_include_pad=count_include_pad)
        # Constructed in the order of the call; on the right the output for 3 x 299 x 299.
        for name, layer in first.layers(norm_cfg):  # 192 x 35 x 35
            self.add_module(name, layer)
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

        # Layers that feed no output would be parameters without a gradient, which DDP refuses.
        for name in self._layers_behind(self.stages[self.out_indices[-1]].name):
            delattr(self, name)
        self.deploy = False
        if deploy:
            self.switch_to_deploy()
        self._freeze_stages()
        self._register_load_state_dict_pre_hook(self._rename_bare)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps of :attr:`out_indices`, shallow ones first.

        Args:
            x: Images, normalised, of shape (N, 3, H, W) with H and W at least :attr:`min_size`, 75 unless
                the stem says otherwise.

        Returns:
            A map of shape (N, channels, H', W') for each of ``out_indices``.

        Raises:
            ValueError: If a side of the images is below :attr:`min_size` pixels.
        """
        height, width = x.shape[-2:]
        if min(height, width) < self.min_size:
            raise InputError(
                f'Inception V3 takes images of at least {self.min_size} x {self.min_size} pixels, but '
                f'{height} x {width} came; resize them to more in the pipeline'
            )
        wanted = {self.stages[index].name for index in self.out_indices}
        outputs = []
        checkpointed = self.with_cp and self.training
        for name, layer in self._segments(wanted) if checkpointed else self.named_children():
            x = self._checkpointed(layer, x) if checkpointed else layer(x)
            if name in wanted:
                outputs.append(x)
        return tuple(outputs)

    def train(self, mode: bool = True) -> InceptionV3:
        """Set the mode, except where ``frozen_stages`` and ``norm_eval`` ask for evaluation.

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
        """Fold every batch norm into its convolution, in place, for prediction; a second call does nothing.

        A normalisation that cannot be folded, such as group norm, stays as it is.
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

    def _checked_indices(self, indices: list[int]) -> tuple[int, ...]:
        count = len(self.stages)
        for index in indices:
            if not -count <= index < count:
                names = ', '.join(f'{i} {stage.name}' for i, stage in enumerate(self.stages))
                raise InputError(f'out_indices are positions in [{names}], but {index} came')
        if not indices:
            raise InputError('out_indices names no stage, but at least one was expected')
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
        """Yield the layers to compute again at a time, under the name of the last of them."""
        layers: list[nn.Module] = []
        for name, layer in self.named_children():
            layers.append(layer)
            if name not in _NOT_KEPT or name in wanted:
                yield name, nn.Sequential(*layers)
                layers = []

    @staticmethod
    def _checkpointed(layer: nn.Module, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():
            # What a compiled backward pass computes again changes no statistics, and Dynamo takes no context.
            return checkpoint(layer, x, use_reentrant=False)
        return checkpoint(layer, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_kept(layer)))


@contextmanager
def _statistics_kept(layer: nn.Module) -> Iterator[None]:
    """Keep a second forward pass over the same batch from entering the running statistics again."""
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
